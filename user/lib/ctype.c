// Character classes of ASCII (C17 7.4).

#include <ctype.h>

static int is_between(int character, int first, int last)
{
    return character >= first && character <= last;
}

int isdigit(int character)
{
    return is_between(character, '0', '9');
}

int islower(int character)
{
    return is_between(character, 'a', 'z');
}

int isupper(int character)
{
    return is_between(character, 'A', 'Z');
}

int isalpha(int character)
{
    return islower(character) || isupper(character);
}

int isalnum(int character)
{
    return isalpha(character) || isdigit(character);
}

int isblank(int character)
{
    return character == ' ' || character == '\t';
}

int iscntrl(int character)
{
    return is_between(character, 0, 31) || character == 127;
}

int isgraph(int character)
{
    return is_between(character, 33, 126);
}

int isprint(int character)
{
    return is_between(character, 32, 126);
}

int ispunct(int character)
{
    return isgraph(character) && !isalnum(character);
}

int isspace(int character)
{
    return character == ' ' || is_between(character, '\t', '\r');
}

int isxdigit(int character)
{
    return isdigit(character) || is_between(character, 'a', 'f') || is_between(character, 'A', 'F');
}

int tolower(int character)
{
    return isupper(character) ? character - 'A' + 'a' : character;
}

int toupper(int character)
{
    return islower(character) ? character - 'a' + 'A' : character;
}
