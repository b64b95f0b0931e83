/*
 * vmm/dev/e1000e_phy.c -- the 82574L's PHY, and the memory that has its
 * address (82574 datasheet, sections 6 and 9.3; IEEE 802.3, clause 22).
 *
 * A link at 1000 Mb/s that is there at once, or not at all.
 */
#include <string.h>

#include "vmm/dev/e1000e_priv.h"

/* Clause 22.2.4. */
enum { PHY_CONTROL = 0, PHY_STATUS = 1, PHY_SPECIFIC_STATUS = 17 };
enum { CONTROL_RESET = 1 << 15, CONTROL_RESTART = 1 << 9,
       STATUS_DONE = 1 << 5, STATUS_UP = 1 << 2 };
/* Speed 1000, full duplex, resolved, link. */
enum { SPECIFIC_LINK = 0xac00 };

static const uint16_t phy_defaults[PHY_REGS] = {
	[PHY_CONTROL] = 0x1140,
	[PHY_STATUS] = 0x7949,
	[2] = 0x0141, [3] = 0x0cb1, /* who it is (9.3, "BM") */
	[4] = 0x0de1, [5] = 0xcde1, [6] = 0x000f, /* all speeds, both ends */
	[9] = 0x0e00, [10] = 0x3c00, [15] = 0x3000,
	[16] = 0x0068,
};

void e1000e_phy_link(struct e1000e *e)
{
	bool up = !e->link_down;

	e->phy[PHY_STATUS] = phy_defaults[PHY_STATUS] |
			     (up ? STATUS_UP | STATUS_DONE : 0);
	e->phy[PHY_SPECIFIC_STATUS] = up ? SPECIFIC_LINK : 0;
	*e1000e_reg(e, REG_STATUS) &= ~STATUS_LINK;
	*e1000e_reg(e, REG_STATUS) |= up ? STATUS_LINK : 0;
}

void e1000e_phy_reset(struct e1000e *e)
{
	memcpy(e->phy, phy_defaults, sizeof(e->phy));
	e1000e_phy_link(e);
}

static void phy_write(struct e1000e *e, unsigned int reg, uint16_t value)
{
	switch (reg) {
	case PHY_CONTROL:
		if (value & CONTROL_RESET)
			e1000e_phy_reset(e);
		if ((value & CONTROL_RESTART) && !e->link_down)
			e1000e_raise(e, ICR_LSC);
		e->phy[reg] = value & ~(CONTROL_RESET | CONTROL_RESTART);
		break;
	case PHY_STATUS:
	case 2:
	case 3:
	case 5:
	case 10:
	case 15:
	case PHY_SPECIFIC_STATUS:
		break; /* read only */
	default:
		e->phy[reg] = value;
	}
}

/* 10.2.2.7: done at once. */
uint32_t e1000e_mdic(struct e1000e *e, uint32_t command)
{
	enum { WRITE = 1, READ = 2, READY = 1 << 28, ERROR = 1 << 30 };
	unsigned int reg = command >> 16 & 31, phy = command >> 21 & 31;
	uint32_t value = (command & ~0xd000ffffu) | READY;

	if (phy != 1)
		return value | ERROR;
	switch (command >> 26 & 3) {
	case WRITE:
		phy_write(e, reg, command);
		return value | (command & 0xffff);
	case READ:
		return value | e->phy[reg];
	}
	return value | ERROR;
}

/* 6.1: the words that drivers look at; the sum of all is 0xbaba. */
static uint16_t nvm_word(const struct e1000e *e, unsigned int word)
{
	static const uint16_t words[NVM_WORDS] = {
		[0x03] = 0x0420, [0x04] = 0xf746, [0x05] = 0x2010,
		[0x08] = 0xffff, [0x09] = 0xffff, [0x0a] = 0x026b,
		[0x0b] = 0x0000, [0x0c] = 0x8086, [0x0d] = 0x10d3,
		[0x0e] = 0x8086, [0x0f] = 0x8058,
	};
	uint16_t sum = 0xbaba;

	if (word < 3)
		return e->mac[2 * word] | e->mac[2 * word + 1] << 8;
	if (word < 0x3f)
		return words[word];
	for (unsigned int i = 0; i < 0x3f; i++)
		sum -= nvm_word(e, i);
	return sum;
}

/* 10.2.2.4 */
uint32_t e1000e_eerd(struct e1000e *e, uint32_t command)
{
	enum { START = 1, DONE = 2 };
	unsigned int word = command >> 2 & 0x3fff;
	uint32_t data = word < NVM_WORDS ? nvm_word(e, word) : 0xffff;

	if (!(command & START))
		return command;
	return data << 16 | (command & 0xfffc) | DONE;
}
