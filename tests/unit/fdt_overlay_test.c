// Overlays as dtc makes them, applied to a small machine, and those that must be refused.
#include <string.h>

#include "tests/unit/host_tool.h"
#include "vmm/arm64/fdt_overlay.h"
#include "vmm/arm64/fdt_tree.h"

#define CAPACITY 16384

static const char BASE[] = "/dts-v1/; / { #address-cells = <1>; "
                           "intc { phandle = <5>; }; "
                           "soc { kept; status = \"okay\"; old { a = <1>; }; }; "
                           "serial@1000 { clocks = <5>; }; "
                           "__symbols__ { intc = \"/intc\"; soc = \"/soc\"; uart = "
                           "\"/serial@1000\"; lost = \"/nowhere\"; }; };";

static uint8_t base[CAPACITY], overlay[CAPACITY], output[CAPACITY];
static size_t base_bytes, overlay_bytes, output_bytes;
static char reason[200], text[CAPACITY];

static size_t compile(const char *options, const char *source, uint8_t *blob)
{
    char command[80];

    snprintf(command, sizeof(command), "dtc -q -I dts -O dtb %s", options);
    return host_tool_run(command, source, strlen(source), blob, CAPACITY);
}

static mx_status_t apply_blob(void)
{
    reason[0] = '\0';
    base_bytes = compile("", BASE, base);
    return fdt_overlay_apply(base, base_bytes, overlay, overlay_bytes, output, CAPACITY,
                             &output_bytes, reason, sizeof(reason));
}

static mx_status_t apply(const char *source)
{
    overlay_bytes = compile("-@", source, overlay);
    return apply_blob();
}

// The result as dtc shows it, without what is only for overlays.
static void expect_result(const char *source)
{
    ASSERT_OK(apply(source));
    const size_t size = host_tool_run("dtc -q -I dtb -O dts | sed '/__symbols__/,/};/d'", output,
                                      output_bytes, text, sizeof(text) - 1);
    text[size] = '\0';
}

static void expect_has(const char *part)
{
    EXPECT_TRUE(strstr(text, part) != NULL);
    if (!strstr(text, part))
        printf("# not there: %s in\n%s\n", part, text);
}

static void expect_refused(mx_status_t status, const char *source, const char *part)
{
    EXPECT_STATUS(status, apply(source));
    EXPECT_TRUE(strstr(reason, part) != NULL);
    if (!strstr(reason, part))
        printf("# reason: %s\n", reason);
}

TEST(properties_and_nodes_are_merged)
{
    expect_result("/dts-v1/; /plugin/; &soc { status = \"disabled\"; more = <3>; "
                  "old { a = <2>; b; }; new { c { d; }; }; };");
    expect_has("soc {\n\t\tkept;\n\t\tstatus = \"disabled\";");
    expect_has("more = <0x03>;");
    expect_has("old {\n\t\t\ta = <0x02>;\n\t\t\tb;\n\t\t};");
    expect_has("new {\n\n\t\t\tc {\n\t\t\t\td;\n\t\t\t};\n\t\t};");
}

TEST(target_can_be_a_path)
{
    expect_result("/dts-v1/; / { fragment@0 { target-path = \"/serial@1000\"; "
                  "__overlay__ { x = <1>; }; }; fragment@1 { target-path = \"/\"; "
                  "__overlay__ { y { }; }; }; };");
    expect_has("serial@1000 {\n\t\tclocks = <0x05>;");
    expect_has("x = <0x01>;");
    expect_has("\ty {\n\t};");
}

// The machine's own phandle is 5; the label without one gets one that nobody has.
TEST(references_reach_the_machine_and_the_overlay)
{
    expect_result("/dts-v1/; /plugin/; &{/} { mine: mine { parent = <&intc>; }; "
                  "user { all = <&mine 9 &intc &uart>; }; };");
    expect_has("parent = <0x05>;");
    expect_has("phandle = <0x06>;");
    expect_has("all = <0x06 0x09 0x05 0x07>;");
    expect_has("phandle = <0x07>;");
}

TEST(overlay_that_does_not_fit_the_machine_is_refused)
{
    expect_refused(MX_ERR_INVALID_ARGS, "/dts-v1/; /plugin/; &gone { };", "no label \"gone\"");
    expect_refused(MX_ERR_INVALID_ARGS, "/dts-v1/; /plugin/; &lost { };", "no label \"lost\"");
    expect_refused(MX_ERR_INVALID_ARGS,
                   "/dts-v1/; / { fragment@0 { target-path = \"/none\"; __overlay__ { }; }; };",
                   "fragment@0: the machine has not its target");
    expect_refused(MX_ERR_INVALID_ARGS,
                   "/dts-v1/; / { fragment@0 { target = <9>; __overlay__ { }; }; };", "its target");
    expect_refused(MX_ERR_INVALID_ARGS, "/dts-v1/; / { fragment@0 { __overlay__ { }; }; };",
                   "its target");
    expect_refused(MX_ERR_INVALID_ARGS, "/dts-v1/; / { model = \"whole\"; };", "no overlay");
    expect_refused(MX_ERR_INVALID_ARGS, "/dts-v1/; /plugin/; &{/intc} { phandle = <1>; };",
                   "a phandle already");
    expect_refused(MX_ERR_INVALID_ARGS, "/dts-v1/; / { a { phandle = <0xfffffffd>; }; };",
                   "too high");
}

TEST(wrong_fixups_are_refused)
{
    static const char *const sources[] = {
        "__fixups__ { intc = \"/fragment@0:target\"; };",
        "__fixups__ { intc = \"/fragment@0:target:\"; };",
        "__fixups__ { intc = \"/fragment@0:target:1\"; };",
        "__fixups__ { intc = \"/fragment@0:target:99999999999\"; };",
        "__fixups__ { intc = \"/fragment@0:target:-4\"; };",
        "__fixups__ { intc = \"/fragment@1:target:0\"; };",
        "__fixups__ { intc = \"/fragment@0:x:0\"; };",
        "__fixups__ { intc = [61 62]; };",
        "__local_fixups__ { fragment@0 { target = <1>; }; };",
        "__local_fixups__ { fragment@0 { target = <0xffffffff>; }; };",
        "__local_fixups__ { fragment@0 { target = [00]; }; };",
        "__local_fixups__ { fragment@0 { x = <0>; }; };",
        "__local_fixups__ { fragment@1 { }; };",
    };

    for (unsigned i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
        char source[400];
        snprintf(source, sizeof(source),
                 "/dts-v1/; / { fragment@0 { target = <0xfffffff>; __overlay__ { z; }; }; %s };",
                 sources[i]);
        expect_refused(MX_ERR_INVALID_ARGS, source, "fixup");
    }
}

TEST(what_is_no_tree_is_refused)
{
    memcpy(overlay, "no tree at all", 15);
    overlay_bytes = 15;
    EXPECT_STATUS(MX_ERR_IO_DATA_INTEGRITY, apply_blob());
    EXPECT_STR_EQ(reason, "it is no device tree: it does not begin as one");
    overlay_bytes = FDT_OVERLAY_BYTES_MAX + 1;
    EXPECT_STATUS(MX_ERR_FILE_TOO_BIG, apply_blob());
}

TEST(result_that_does_not_fit_is_refused)
{
    base_bytes = compile("", BASE, base);
    overlay_bytes = compile("-@", "/dts-v1/; /plugin/; &soc { big = [00]; };", overlay);
    EXPECT_STATUS(MX_ERR_BUFFER_TOO_SMALL,
                  fdt_overlay_apply(base, base_bytes, overlay, overlay_bytes, output, 300,
                                    &output_bytes, reason, sizeof(reason)));
    EXPECT_STR_EQ(reason, "the tree with it is too large");
}
