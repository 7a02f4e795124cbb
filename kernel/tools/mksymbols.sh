#!/bin/sh
# mksymbols.sh NM KERNEL_ELF: prints the assembly source of the table that kernel/core/symbols.c searches: the functions
# of a linked kernel, sorted by address. Without arguments: an empty table, for the first link. The table stands behind
# everything it describes, so linking it in moves nothing.
set -eu

functions() {
	[ $# -eq 0 ] || "$1" -n "$2" | awk '$2 == "t" || $2 == "T"'
}

functions "$@" | awk '
	BEGIN { n = 0 }
	/ kernel_text_end$/ { if (end == "") end = $1; next }
	$3 ~ /^(kernel_image_start|.*__compound_literal.*)$/ { next }
	end == "" && $1 >= "ffffffff80000000" { address[n] = $1; name[n] = $3; n++ }
	END {
		print "// Made by mksymbols.sh.\n\t.section .symbol_table, \"a\"\n\t.globl symbol_base, symbol_count, symbol_table, symbol_names"
		print "\t.balign 8\nsymbol_base:\n\t.quad 0xffffffff80000000"
		if (end != "") { address[n] = end; name[n] = "(end)"; n++ }
		print "symbol_count:\n\t.long " n "\n\t.balign 8\nsymbol_table:"
		for (i = 0; i < n; i++)
			print "\t.long 0x" address[i] " - 0xffffffff80000000, .Ln" i " - symbol_names"
		print "symbol_names:"
		for (i = 0; i < n; i++)
			print ".Ln" i ":\n\t.asciz \"" name[i] "\""
		print "\t.section .note.GNU-stack, \"\", @progbits"
	}'
