// void string_move_up(char *to, const char *from, size_t size), for user/lib/string.c. String instructions move whole cache
// lines at once but take some tens of cycles to start, so short sizes go word by word (AMD64 Architecture Programmer's Manual
// Volume 1, "String Instructions").
#define SHORT 64

    .text
    .global string_move_up
    .type string_move_up, @function
string_move_up:
    movq %rdx, %rcx
    cmpq $SHORT, %rdx
    jb 1f
    shrq $3, %rcx
    rep movsq
    andl $7, %edx
    movl %edx, %ecx
    jmp 3f
1:  subq $8, %rcx
    jb 2f
    movq (%rsi), %rax
    movq %rax, (%rdi)
    addq $8, %rsi
    addq $8, %rdi
    jmp 1b
2:  addq $8, %rcx
3:  jz 4f
    rep movsb
4:  ret
    .size string_move_up, . - string_move_up
    .section .note.GNU-stack, "", @progbits
