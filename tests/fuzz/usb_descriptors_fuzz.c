// Arbitrary bytes as USB descriptors.
#include <stdlib.h>
#include <string.h>

#include "user/drivers/usb/portable/usb_descriptors.h"

static void require(int condition)
{
    if (!condition)
        abort();
}

static void check(const struct usb_configuration *configuration)
{
    require(configuration->interface_count <= USB_INTERFACES_MAX);
    for (size_t i = 0; i < configuration->interface_count; i++) {
        const struct usb_interface *interface = &configuration->interfaces[i];
        require(interface->endpoint_count <= USB_ENDPOINTS_MAX);
        for (size_t e = 0; e < interface->endpoint_count; e++) {
            require((interface->endpoints[e].address & 0xf) != 0);
            require(interface->endpoints[e].max_packet_bytes >= 1 &&
                    interface->endpoints[e].max_packet_bytes <= 1024);
        }
    }
    const struct usb_interface *keyboard = usb_find_boot_keyboard(configuration);
    require(keyboard == NULL || usb_find_interrupt_in(keyboard) != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct usb_descriptor_problem problem = {0};
    struct usb_device_descriptor device;
    struct usb_configuration configuration;
    uint16_t number;
    // Of exactly this size, so that a byte too far is seen.
    uint8_t *bytes = malloc(size + !size);

    if (size > 0)
        memcpy(bytes, data, size);
    require((usb_parse_packet_size(bytes, size, &number, &problem) == MX_OK) ==
            (problem.text == NULL));
    (void)!usb_parse_device(bytes, size, &device, &problem);
    (void)!usb_parse_configuration_size(bytes, size, &number, &problem);
    problem = (struct usb_descriptor_problem){0};
    const mx_status_t status = usb_parse_configuration(bytes, size, &configuration, &problem);
    require((status == MX_OK) == (problem.text == NULL));
    require(problem.text == NULL || problem.offset < size + !size);
    if (status == MX_OK)
        check(&configuration);
    free(bytes);
    return 0;
}
