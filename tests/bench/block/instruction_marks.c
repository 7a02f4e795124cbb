// A plugin of QEMU that counts executed instructions and writes the count down whenever a mark is
// executed, on whatever level of virtualization: one line "MARK COUNT" in the file that its
// argument out=FILE names. One CPU only. What idles executes nothing and is not counted.
//
// The interface is QEMU's TCG plugin API, version 1 (docs/devel/tcg-plugins.rst), declared here as
// far as it is used: Debian has no package with its header.
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "tests/bench/block/marks.h"

typedef uint64_t plugin_id;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
enum plugin_flags { PLUGIN_NO_REGISTERS = 0 };
enum plugin_operation { PLUGIN_ADD_U64 = 0 };

typedef void translate_function(plugin_id id, struct qemu_plugin_tb *block);
typedef void execute_function(unsigned cpu, void *context);

void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id, translate_function *function);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *block, size_t index);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *instruction);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *instruction);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *instruction,
                                            execute_function *function, enum plugin_flags flags,
                                            void *context);
void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn *instruction,
                                                enum plugin_operation operation, void *value,
                                                uint64_t operand);

#define EXPORT __attribute__((visibility("default")))

EXPORT int qemu_plugin_version = 1;

static uint64_t executed;
static FILE *output;

static void write_mark(unsigned cpu, void *context)
{
    (void)cpu;
    fprintf(output, "%u %llu\n", (unsigned)(uintptr_t)context, (unsigned long long)executed);
    fflush(output);
}

static bool is_mark(const struct qemu_plugin_insn *instruction, unsigned *mark)
{
    const uint8_t *bytes = qemu_plugin_insn_data(instruction);

    if (qemu_plugin_insn_size(instruction) != MARK_BYTES)
        return false;
    for (*mark = 0; *mark < MARK_COUNT; ++*mark) {
        const uint8_t wanted[MARK_BYTES] = MARK_ENCODING(*mark);

        if (memcmp(bytes, wanted, MARK_BYTES) == 0)
            return true;
    }
    return false;
}

static void translate(plugin_id id, struct qemu_plugin_tb *block)
{
    unsigned mark;

    (void)id;
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(block); i++) {
        struct qemu_plugin_insn *instruction = qemu_plugin_tb_get_insn(block, i);

        qemu_plugin_register_vcpu_insn_exec_inline(instruction, PLUGIN_ADD_U64, &executed, 1);
        if (is_mark(instruction, &mark))
            qemu_plugin_register_vcpu_insn_exec_cb(instruction, write_mark, PLUGIN_NO_REGISTERS,
                                                   (void *)(uintptr_t)mark);
    }
}

EXPORT int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv)
{
    static const char key[] = "out=";

    (void)info;
    if (argc != 1 || strncmp(argv[0], key, sizeof(key) - 1) != 0) {
        fprintf(stderr, "instruction_marks: one argument, out=FILE\n");
        return 1;
    }
    output = fopen(argv[0] + sizeof(key) - 1, "w");
    if (!output) {
        perror(argv[0]);
        return 1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, translate);
    return 0;
}
