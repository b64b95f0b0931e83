/*
 * vmm/vnc/des.h -- the Data Encryption Standard (FIPS 46-3), for VNC's password
 * check and nothing else.
 */
#ifndef VMM_VNC_DES_H
#define VMM_VNC_DES_H

#include <stdint.h>

enum { DES_BLOCK = 8 };

void des_encrypt(const uint8_t key[DES_BLOCK], const uint8_t in[DES_BLOCK],
		 uint8_t ret_out[DES_BLOCK]);

#endif
