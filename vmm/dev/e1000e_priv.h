/*
 * vmm/dev/e1000e_priv.h -- between the files of the 82574L.
 *
 * Sections are those of Intel's 82574 GbE Controller Family Datasheet,
 * revision 3.4.
 *
 * Theory of operation.  Registers are an array that the driver reads and
 * writes on vCPUs' threads; few do something.  Frames move on a thread of the
 * device: it is woken by writes of the tail registers and by the tap.  One
 * lock guards everything.
 */
#ifndef VMM_DEV_E1000E_PRIV_H
#define VMM_DEV_E1000E_PRIV_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/util.h"
#include "network/port/tap.h"
#include "vmm/dev/msi.h"
#include "vmm/dev/pci.h"

struct iothread;
struct machine;
struct msix;

/* 10.2: offsets, in the first BAR. */
enum {
	REG_CTRL = 0x0000,
	REG_STATUS = 0x0008,
	REG_EECD = 0x0010,
	REG_EERD = 0x0014,
	REG_CTRL_EXT = 0x0018,
	REG_MDIC = 0x0020,
	REG_VET = 0x0038,
	REG_ICR = 0x00c0,
	REG_ICS = 0x00c8,
	REG_IMS = 0x00d0,
	REG_IMC = 0x00d8,
	REG_EIAC = 0x00dc,
	REG_IAM = 0x00e0,
	REG_IVAR = 0x00e4,
	REG_RCTL = 0x0100,
	REG_TCTL = 0x0400,
	REG_PBA = 0x1000,
	REG_PSRCTL = 0x2170,
	REG_RDBAL = 0x2800,
	REG_RDBAH = 0x2804,
	REG_RDLEN = 0x2808,
	REG_RDH = 0x2810,
	REG_RDT = 0x2818,
	REG_TDBAL = 0x3800,
	REG_TDBAH = 0x3804,
	REG_TDLEN = 0x3808,
	REG_TDH = 0x3810,
	REG_TDT = 0x3818,
	REG_STATS = 0x4000, /* all of them are cleared by reading */
	REG_MPC = 0x4010,
	REG_GPRC = 0x4074,
	REG_GPTC = 0x4080,
	REG_TPR = 0x40d0,
	REG_TPT = 0x40d4,
	REG_STATS_END = 0x4128,
	REG_RFCTL = 0x5008,
	REG_MTA = 0x5200,
	REG_RAL = 0x5400, /* 16 pairs */
	REG_VFTA = 0x5600,
	REGS_END = 0x6000,
	REGS_BAR_SIZE = 0x20000,
};

enum {
	CTRL_MASTER_DISABLE = 1 << 2,
	CTRL_RST = 1 << 26,
	CTRL_VME = 1 << 30,
	STATUS_LINK = 1 << 1,
	STATUS_MASTER = 1 << 19,
	CTRL_EXT_EIAME = 1 << 24,
	CTRL_EXT_IAME = 1 << 27,
	RCTL_EN = 1 << 1,
	RCTL_UPE = 1 << 3,
	RCTL_MPE = 1 << 4,
	RCTL_LPE = 1 << 5,
	RCTL_BAM = 1 << 15,
	RCTL_VFE = 1 << 18,
	RCTL_BSEX = 1 << 25,
	RCTL_SECRC = 1 << 26,
	TCTL_EN = 1 << 1,
	RFCTL_EXTEN = 1 << 15,
};

/* Interrupt causes (10.2.4.1). */
enum {
	ICR_TXDW = 1 << 0,
	ICR_LSC = 1 << 2,
	ICR_RXDMT0 = 1 << 4,
	ICR_RXO = 1 << 6,
	ICR_RXT0 = 1 << 7,
	ICR_RXQ0 = 1 << 20,
	ICR_TXQ0 = 1 << 22,
	ICR_OTHER = 1 << 24,
};

enum {
	PHY_REGS = 32,
	NVM_WORDS = 64,
	FRAME_MAX = TAP_FRAME_MAX,
	DESC_SIZE = 16, /* all but packet split's */
};

/* 7.2.6: what a context descriptor set up. */
struct e1000e_context {
	uint8_t ip_start, ip_offset, tcp_start, tcp_offset, header_len;
	uint16_t ip_end, tcp_end, mss;
	uint8_t ip, tcp; /* bits of TUCMD */
};

struct e1000e_counter {
	uint64_t packets, bytes, drops;
};

struct e1000e {
	struct pci_dev pci;
	struct machine *m;
	char *id;
	struct msix *msix;
	struct msi msi;
	struct iothread *thread;
	int kick_fd; /* there is something to send, or room to receive */
	int tap;
	uint8_t mac[6];

	pthread_mutex_t lock; /* the rest */
	uint32_t events;      /* what the loop waits for on the tap */
	bool gone;	      /* the tap was removed under us */
	bool paused, link_down, asserted;
	struct e1000e_counter rx, tx;
	uint32_t reg[REGS_END / 4];
	uint16_t phy[PHY_REGS];
	struct e1000e_context context;

	/* A frame on its way out: what it is to be, and its bytes. */
	uint32_t tx_len;
	uint8_t tx_options; /* POPTS of its first descriptor */
	bool tx_segment, tx_tag, tx_too_long;
	uint16_t tx_vlan;
	uint8_t tx_frame[FRAME_MAX];

	size_t rx_len; /* one that waits for room, with the tap's header */
	uint8_t rx_frame[TAP_HEADER_LEN + FRAME_MAX + 8];
};

static inline uint32_t *e1000e_reg(struct e1000e *e, unsigned int at)
{
	return &e->reg[at / 4];
}

/* e1000e.c; locked. */
void e1000e_raise(struct e1000e *e, uint32_t causes);

/* e1000e_tx.c and e1000e_rx.c; locked, on the device's thread. */
void e1000e_transmit(struct e1000e *e);
/* Frames from the tap, as long as there is room; false: one waits. */
bool e1000e_receive(struct e1000e *e);

/* e1000e_phy.c: the PHY and the memory with the address; locked. */
void e1000e_phy_reset(struct e1000e *e);
void e1000e_phy_link(struct e1000e *e);
uint32_t e1000e_mdic(struct e1000e *e, uint32_t command);
uint32_t e1000e_eerd(struct e1000e *e, uint32_t command);

#endif
