# scripts/local.mk -- what the README, the tests and CI call.
dist_noinst_SCRIPTS += \
	%D%/check \
	%D%/demo \
	%D%/down \
	%D%/stop-daemon \
	%D%/up \
	$(NULL)
EXTRA_DIST += %D%/functions.sh
