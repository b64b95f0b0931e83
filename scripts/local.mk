# scripts/local.mk -- what the README, the tests and CI call.
dist_noinst_SCRIPTS += \
	%D%/down \
	%D%/stop-daemon \
	%D%/up \
	$(NULL)
