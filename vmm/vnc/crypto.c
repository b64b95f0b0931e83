/*
 * vmm/vnc/crypto.c -- loading the module with the VNC server's cryptography.
 */
#include "vmm/vnc/crypto.h"

#include <dlfcn.h>
#include <errno.h>

#include "base/error.h"

/* One a process, as the libraries behind it. */
static const struct vnc_crypto *loaded;

int vnc_crypto_load(const char *path, struct error *err)
{
	void *module = dlopen(path, RTLD_NOW | RTLD_LOCAL);

	if (module)
		loaded = dlsym(module, VNC_CRYPTO_SYMBOL);
	if (!loaded)
		return error_set(err, -ENOEXEC,
				 "cannot load the VNC server's module: %s",
				 dlerror());
	return 0;
}

const struct vnc_crypto *vnc_crypto(void)
{
	return loaded;
}
