// Arbitrary messages, of right and wrong sizes, to a device host, with doorbells between them.

#include "tests/fuzz/virtio_script.h"
#include "vmm/virtio/rng.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

static bool fill(void *context, void *bytes, size_t size_bytes)
{
    (void)context;
    memset(bytes, 0xa5, size_bytes);
    return true;
}

// A message of the kind that the input chooses, with the right size unless it says otherwise.
static void send(struct script *script, struct virtio_fixture *fixture)
{
    uint8_t message[512] = {0};
    const uint8_t kind = (uint8_t)script_take(script, 1);
    struct virtio_message_header header =
        virtio_message_header_of((enum virtio_message_kind)(kind & 0x3f));
    size_t size = header.size_bytes;

    if (kind & 0x80)
        size = script_take(script, 2) % sizeof(message);
    memcpy(message, &header, sizeof(header));
    for (size_t i = sizeof(header); i < size && i < 48; i++)
        message[i] = (uint8_t)script_take(script, 1);
    if (fixture_send(fixture, message, size) > 0)
        abort();
    struct virtio_reply reply;
    if (virtio_reply_decode(&fixture->reply, sizeof(fixture->reply),
                            (enum virtio_message_kind)fixture->reply.header.kind,
                            &reply) != fixture->reply.status)
        abort(); // the host's own answers are well-formed
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
    static struct virtio_fixture fixture;
    static struct virtio_rng rng;
    struct script script = {bytes, size_bytes};
    struct virtio_reply reply;

    (void)!virtio_reply_decode(bytes, size_bytes, VIRTIO_MESSAGE_START, &reply);
    virtio_rng_init(&rng, fill, NULL);
    fixture_init(&fixture, &rng.device, 16);
    while (script.size_bytes != 0) {
        send(&script, &fixture);
        device_host_doorbell(&fixture.host, (unsigned)script_take(&script, 1));
    }
    fixture_destroy(&fixture);
    return 0;
}
