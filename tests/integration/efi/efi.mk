# EFI applications that play firmware with a fault for tests/integration/test_uefi.py.

$B/test/bad_reset.so: $(addprefix $B/efi-obj/tests/integration/efi/,bad_reset.o $(ARCH)/bad_reset_code.o)
	mkdir -p $(@D)
	$(EFI_LINK)
all: $B/test/bad_reset.efi
