// Files of the server that the loader came from, by TFTP (UEFI Specification 2.10, section 24.3
// "PXE Base Code Protocol").
#include "boot/efi/source.h"

#include <efipxebc.h>

#include "boot/efi/console.h"
#include "boot/loader/dhcp_reply.h"
#include "kernel/lib/print.h"
#include "kernel/lib/string.h"

#define NAME_CHARS 384
// What an Ethernet frame has room for, less the headers of IP, UDP and TFTP; the server may choose
// less (RFC 2348).
#define BLOCK_BYTES 1468

static EFI_PXE_BASE_CODE_PROTOCOL *pxe;
static struct dhcp_origin origin;
static uint64_t received_bytes, total_bytes;

// A server that sends for ever is cut off; one that sends each block twice is not.
#define RECEIVED_BYTES_MAX(total) (2 * (total) + ((uint64_t)1 << 20))

static EFI_STATUS transfer(EFI_PXE_BASE_CODE_TFTP_OPCODE operation, const char *name, void *buffer,
                           uint64_t *size_bytes)
{
    char path[NAME_CHARS];
    UINTN block_bytes = BLOCK_BYTES;
    EFI_IP_ADDRESS server;

    memset(&server, 0, sizeof(server));
    memcpy(server.v4.Addr, origin.server, sizeof(origin.server));
    print_format(path, sizeof(path), "%s%s", name[0] == '/' ? "" : origin.folder, name);
    return pxe->Mtftp(pxe, operation, buffer, FALSE, size_bytes, &block_bytes, &server,
                      (UINT8 *)path, NULL, FALSE);
}

// Called for each packet.
static EFI_PXE_BASE_CODE_CALLBACK_STATUS EFIAPI
note_packet(EFI_PXE_BASE_CODE_CALLBACK_PROTOCOL *this, EFI_PXE_BASE_CODE_FUNCTION function,
            BOOLEAN is_received, UINT32 packet_bytes, EFI_PXE_BASE_CODE_PACKET *packet)
{
    (void)this;
    (void)function;
    (void)packet;
    // EDK II does not say that it is a transfer: that there is one, the loader knows itself.
    if (is_received && total_bytes != 0) {
        // TFTP's own header is 4 bytes (RFC 1350).
        received_bytes += packet_bytes > 4 ? packet_bytes - 4 : 0;
        if (received_bytes < total_bytes)
            source_show_progress(received_bytes, total_bytes);
        // EDK II takes what a buffer has no room for until it ends.
        if (received_bytes > RECEIVED_BYTES_MAX(total_bytes))
            return EFI_PXE_BASE_CODE_CALLBACK_STATUS_ABORT;
    }
    return EFI_PXE_BASE_CODE_CALLBACK_STATUS_CONTINUE;
}

static EFI_STATUS network_size(const char *name, uint64_t *size_bytes)
{
    *size_bytes = 0;
    EFI_STATUS status = transfer(EFI_PXE_BASE_CODE_TFTP_GET_FILE_SIZE, name, NULL, size_bytes);
    // A server without the option (RFC 2349) begins to send, which was not asked for.
    return status == EFI_PROTOCOL_ERROR || status == EFI_UNSUPPORTED ? EFI_INCOMPATIBLE_VERSION
                                                                     : status;
}

static EFI_STATUS network_read(const char *name, void *buffer, uint64_t size_bytes)
{
    uint64_t size = size_bytes;

    received_bytes = 0;
    total_bytes = size_bytes;
    source_show_progress(0, size_bytes);
    EFI_STATUS status = transfer(EFI_PXE_BASE_CODE_TFTP_READ_FILE, name, buffer, &size);
    total_bytes = 0;
    if (status != EFI_SUCCESS && received_bytes > RECEIVED_BYTES_MAX(size_bytes))
        status = EFI_BUFFER_TOO_SMALL;
    if (status == EFI_SUCCESS && size != size_bytes)
        status = EFI_PROTOCOL_ERROR;
    if (status == EFI_SUCCESS)
        source_show_progress(size_bytes, size_bytes);
    console_say("\n");
    return status;
}

static const struct source_ops network_ops = {network_size, network_read, NULL};

static bool read_origin(const EFI_PXE_BASE_CODE_MODE *mode)
{
    struct dhcp_origin other;
    bool is_known = dhcp_reply_read(&mode->DhcpAck, sizeof(mode->DhcpAck), &origin);

    // A server for booting alone, beside the one for addresses, has the last word.
    if (mode->ProxyOfferReceived &&
        dhcp_reply_read(&mode->ProxyOffer, sizeof(mode->ProxyOffer), &other)) {
        origin = other;
        is_known = true;
    }
    if (mode->PxeReplyReceived &&
        dhcp_reply_read(&mode->PxeReply, sizeof(mode->PxeReply), &other)) {
        origin = other;
        is_known = true;
    }
    return is_known;
}

static void install_progress(EFI_HANDLE device)
{
    static EFI_PXE_BASE_CODE_CALLBACK_PROTOCOL callback = {
        EFI_PXE_BASE_CODE_CALLBACK_PROTOCOL_REVISION, note_packet};
    EFI_GUID guid = EFI_PXE_BASE_CODE_CALLBACK_PROTOCOL_GUID;
    BOOLEAN use_callback = TRUE;

    if (efi_boot->InstallProtocolInterface(&device, &guid, EFI_NATIVE_INTERFACE, &callback) ==
        EFI_SUCCESS)
        (void)pxe->SetParameters(pxe, NULL, NULL, NULL, NULL, &use_callback);
}

bool source_find_network(EFI_HANDLE device, struct source *source)
{
    static const EFI_GUID guid = EFI_PXE_BASE_CODE_PROTOCOL_GUID;

    pxe = efi_protocol(device, &guid);
    if (!pxe || !pxe->Mode || !pxe->Mode->Started || pxe->Mode->UsingIpv6 ||
        !read_origin(pxe->Mode))
        return false;
    install_progress(device);
    *source = (struct source){.ops = &network_ops};
    print_format(source->description, sizeof(source->description), "server %u.%u.%u.%u",
                 origin.server[0], origin.server[1], origin.server[2], origin.server[3]);
    return true;
}
