# EFI applications that play firmware with a fault for tests/integration/test_uefi.py and test_acpi.py.

$B/test/bad_reset.so: $(addprefix $B/efi-obj/tests/integration/efi/,bad_reset.o chain.o $(ARCH)/bad_reset_code.o)
	mkdir -p $(@D)
	$(EFI_LINK)
$B/test/bad_acpi.so: $(addprefix $B/efi-obj/tests/integration/efi/,bad_acpi.o chain.o)
	mkdir -p $(@D)
	$(EFI_LINK)
all: $B/test/bad_reset.efi $(if $(filter arm64,$(ARCH)),$B/test/bad_acpi.efi)
