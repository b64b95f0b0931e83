# xml-schemas/local.mk -- RELAX NG for the documents that model/ reads.
dist_schemas_DATA += \
	%D%/common.rng \
	%D%/devices.rng \
	%D%/domain.rng \
	%D%/domainbackup.rng \
	%D%/domaincheckpoint.rng \
	%D%/domainsnapshot.rng \
	%D%/pool.rng \
	%D%/secret.rng \
	%D%/storage.rng \
	%D%/volume.rng \
	%D%/filterref.rng \
	%D%/network.rng \
	%D%/nwfilter.rng \
	%D%/nwfilterbinding.rng \
	$(NULL)
