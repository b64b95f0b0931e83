/*
 * vmm/dev/pic.h -- the pair of 8259 interrupt controllers.
 */
#ifndef VMM_DEV_PIC_H
#define VMM_DEV_PIC_H

#include <stdbool.h>

struct machine;
struct pic;

struct pic *pic_create(struct machine *m); /* drives engine->extint() */
void pic_set(struct pic *pic, unsigned int irq, bool level); /* any thread */

/* Interrupt acknowledge: the vector, or -1 when nothing is pending. */
int pic_ack(struct pic *pic);

#endif
