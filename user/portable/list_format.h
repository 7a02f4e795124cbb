// The tables of `guest list` and `ps`.
#pragma once

#include <machina/objects.h>

#include "user/include/machina_user/guest_manager.h"
#include "user/portable/format.h"

void guest_list_header(struct text *text);
// One line. Names and reasons are the manager's, and may hold what a package says: control
// characters are shown as '?'.
void guest_list_row(struct text *text, const struct guest_list_entry *entry);

void process_list_header(struct text *text);
void process_list_row(struct text *text, const struct mx_info_process *process);
