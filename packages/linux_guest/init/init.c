// The first process of linux_guest: in the initial ramdisk, and again on the guest's disk.
//
// In the ramdisk (which has the file /modules/early) it loads the modules that a distribution's
// kernel needs to see its virtio disk, mounts the disk that root= names and becomes the disk's
// /sbin/init; a child that stays behind loads the other modules. On the disk it mounts the kernel's
// file systems, keeps a shell on every console that exists (the serial port and the virtio
// console), and ends the guest in order: on poweroff, reboot and halt, which signal process 1 as
// toybox and busybox do, and when the power button is pressed. On arm64 the button is a pin, which
// Debian's cloud kernel has no driver for (gpio-keys) and which is watched from here.
//
// It is one small static program, since what a guest executes on its way to the prompt is
// measured: to check a module's signature takes some ten million instructions. A step that fails is
// told on the console; only the lack of a root disk ends the guest.

#define _GNU_SOURCE
#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/gpio.h>
#include <linux/input.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

// The modules that the root disk needs, and those that can come while the guest is in use already.
static const char early_modules[] = "/modules/early";
static const char late_modules[] = "/modules/late";
// The argument by which the disk's init knows that it comes after the ramdisk's.
static const char from_ramdisk[] = "from-ramdisk";
static const char shell_path[] = "/bin/sh";
static const char *const console_names[] = {"ttyS0", "ttyAMA0", "hvc0"};

#define CONSOLE_COUNT       (sizeof(console_names) / sizeof(console_names[0]))
#define BUTTON_COUNT_MAX    8
#define GPIO_CHIP_COUNT_MAX 8
#define ROOT_WAIT_MS        5000
#define TERMINATE_WAIT_MS   500

static void report_error(const char *what)
{
    dprintf(STDERR_FILENO, "linux_guest: %s: %s\n", what, strerror(errno));
}

static void sleep_ms(unsigned ms)
{
    struct timespec duration = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000l};

    nanosleep(&duration, NULL);
}

// Returns the file's length, or -1. The text is cut to fit and ends with a NUL.
static ssize_t read_text(const char *path, char *text, size_t size_bytes)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ssize_t length = read(fd, text, size_bytes - 1);
    close(fd);
    if (length >= 0)
        text[length] = '\0';
    return length;
}

// Mounts one of the kernel's file systems, unless what it shows is there: the kernel may have
// mounted /dev itself, and the ramdisk's mounts move to the disk.
static void mount_kernel_fs(const char *type, const char *path, const char *shown,
                            unsigned long flags)
{
    if (access(shown, F_OK) == 0)
        return;
    if (mount(type, path, type, flags, NULL) != 0 && errno != EBUSY)
        report_error(path);
}

// --- in the ramdisk ------------------------------------------------------------------------------

static void load_module(const char *name)
{
    char path[128];
    snprintf(path, sizeof(path), "/modules/%s", name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        report_error(path);
        return;
    }
    if (syscall(SYS_finit_module, fd, "", 0) != 0 && errno != EEXIST)
        report_error(path);
    close(fd);
    unlink(path);
}

// A list has one file name a line, a module after those that it depends on.
static void load_modules(const char *list_path)
{
    char list[4096];
    if (read_text(list_path, list, sizeof(list)) < 0)
        return;
    char *rest = list;
    for (char *name = strtok_r(list, "\n", &rest); name != NULL; name = strtok_r(NULL, "\n", &rest))
        load_module(name);
    unlink(list_path);
}

// The child keeps the ramdisk as its root. Its end tells process 1 that there may be new devices.
static void load_late_modules(void)
{
    if (fork() != 0)
        return;
    nice(10);
    load_modules(late_modules);
    _exit(0);
}

struct root_options {
    char device[64];
    char type[16];
    unsigned long flags;
};

static bool take_value(const char *word, const char *key, char *value, size_t size_bytes)
{
    size_t key_length = strlen(key);
    if (strncmp(word, key, key_length) != 0)
        return false;
    snprintf(value, size_bytes, "%s", word + key_length);
    return true;
}

static struct root_options read_root_options(void)
{
    struct root_options options = {.device = "/dev/vda", .type = "ext4", .flags = 0};
    char cmdline[4096];
    if (read_text("/proc/cmdline", cmdline, sizeof(cmdline)) < 0)
        return options;
    char *rest = cmdline;
    for (char *word = strtok_r(cmdline, " \n", &rest); word; word = strtok_r(NULL, " \n", &rest)) {
        if (take_value(word, "root=", options.device, sizeof(options.device)))
            continue;
        if (take_value(word, "rootfstype=", options.type, sizeof(options.type)))
            continue;
        if (strcmp(word, "ro") == 0)
            options.flags = MS_RDONLY;
        else if (strcmp(word, "rw") == 0)
            options.flags = 0;
    }
    return options;
}

// A disk that can't be written is mounted read-only, as the kernel itself would do.
static bool mount_root(const struct root_options *options)
{
    for (unsigned waited_ms = 0; access(options->device, F_OK) != 0; waited_ms += 10) {
        if (waited_ms >= ROOT_WAIT_MS)
            return false;
        sleep_ms(10);
    }
    if (mount(options->device, "/root", options->type, options->flags, NULL) == 0)
        return true;
    if (errno != EACCES && errno != EROFS)
        return false;
    return mount(options->device, "/root", options->type, MS_RDONLY, NULL) == 0;
}

static void enter_root(void)
{
    mkdir("/proc", 0755);
    mkdir("/dev", 0755);
    mkdir("/root", 0755);
    mount_kernel_fs("devtmpfs", "/dev", "/dev/null", MS_NOSUID);
    mount_kernel_fs("proc", "/proc", "/proc/self", MS_NOSUID | MS_NODEV | MS_NOEXEC);
    load_modules(early_modules);

    struct root_options options = read_root_options();
    if (!mount_root(&options)) {
        report_error(options.device);
        dprintf(STDERR_FILENO, "linux_guest: no root disk: has guest.cfg a \"block\"?\n");
        reboot(RB_POWER_OFF);
        exit(1);
    }
    load_late_modules();
    if (mount("/dev", "/root/dev", NULL, MS_MOVE, NULL) != 0)
        report_error("/root/dev");
    if (mount("/proc", "/root/proc", NULL, MS_MOVE, NULL) != 0)
        report_error("/root/proc");
    unlink("/init");
    if (chdir("/root") != 0 || mount(".", "/", NULL, MS_MOVE, NULL) != 0 || chroot(".") != 0)
        report_error("switching to the root disk");
    execl("/sbin/init", "init", from_ramdisk, NULL);
    report_error("/sbin/init");
    reboot(RB_POWER_OFF);
    exit(1);
}

// --- on the disk ---------------------------------------------------------------------------------

struct console {
    const char *name;
    pid_t shell; // 0: none runs
    time_t started;
};

// An 8250 driver makes four ports whether they exist or not; the type of one that does not is 0.
static bool console_exists(const char *name)
{
    char path[64], type[16];
    snprintf(path, sizeof(path), "/dev/%s", name);
    if (access(path, F_OK) != 0)
        return false;
    snprintf(path, sizeof(path), "/sys/class/tty/%s/type", name);
    return read_text(path, type, sizeof(type)) <= 0 || strcmp(type, "0\n") != 0;
}

static void reset_signals(void)
{
    sigset_t none;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void run_shell(const char *console)
{
    static char *const environment[] = {"PATH=/bin:/sbin:/usr/bin:/usr/sbin", "HOME=/root",
                                        "TERM=linux", "PS1=$ ", NULL};
    char path[64];

    reset_signals();
    setsid();
    snprintf(path, sizeof(path), "/dev/%s", console);
    int fd = open(path, O_RDWR);
    if (fd < 0)
        _exit(1);
    ioctl(fd, TIOCSCTTY, 0);
    for (int standard_fd = 0; standard_fd < 3; standard_fd++)
        dup2(fd, standard_fd);
    if (fd > 2)
        close(fd);
    if (chdir("/root") != 0)
        report_error("/root");
    execle(shell_path, "sh", "-i", NULL, environment);
    report_error(shell_path);
    _exit(1);
}

static time_t now_seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

static void start_shell(struct console *console)
{
    console->started = now_seconds();
    console->shell = fork();
    if (console->shell == 0)
        run_shell(console->name);
    if (console->shell < 0) {
        report_error("fork");
        console->shell = 0;
    }
}

static pid_t button_watcher;

static bool is_power_button(int fd)
{
    unsigned char keys[KEY_MAX / 8 + 1] = {0};

    return ioctl(fd, EVIOCGBIT(EV_KEY, sizeof(keys)), keys) >= 0 &&
           (keys[KEY_POWER / 8] >> KEY_POWER % 8 & 1) != 0;
}

static nfds_t open_power_keys(struct pollfd *buttons)
{
    nfds_t count = 0;
    DIR *directory = opendir("/dev/input");
    if (directory == NULL)
        return 0;
    for (struct dirent *entry; count < BUTTON_COUNT_MAX && (entry = readdir(directory)) != NULL;) {
        if (strncmp(entry->d_name, "event", 5) != 0)
            continue;
        int fd = openat(dirfd(directory), entry->d_name, O_RDONLY | O_CLOEXEC);
        if (fd >= 0 && is_power_button(fd))
            buttons[count++] = (struct pollfd){.fd = fd, .events = POLLIN};
        else if (fd >= 0)
            close(fd);
    }
    closedir(directory);
    return count;
}

// A property of the device tree that is `count` cells; false if it is not.
static bool read_cells(const char *directory, const char *name, uint32_t *cells, size_t count)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/%s", directory, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t length = read(fd, cells, count * sizeof(*cells));
    close(fd);
    for (size_t i = 0; i < count; i++)
        cells[i] = be32toh(cells[i]);
    return length == (ssize_t)(count * sizeof(*cells));
}

// The number of the GPIO controller with a phandle, or -1.
static int find_gpio_chip(uint32_t phandle)
{
    char of_node[64];
    uint32_t own;

    for (int number = 0; number < GPIO_CHIP_COUNT_MAX; number++) {
        snprintf(of_node, sizeof(of_node), "/sys/bus/gpio/devices/gpiochip%d/of_node", number);
        if (read_cells(of_node, "phandle", &own, 1) && own == phandle)
            return number;
    }
    return -1;
}

// Pressing makes events on the file that is returned; -1 if there is none, or if a driver has the
// pin.
static int open_pin(const uint32_t gpio[3])
{
    struct gpio_v2_line_request request = {.offsets = {gpio[1]}, .num_lines = 1};
    char path[64];

    int number = find_gpio_chip(gpio[0]);
    if (number < 0)
        return -1;
    snprintf(path, sizeof(path), "/dev/gpiochip%d", number);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    strcpy(request.consumer, "power button");
    request.config.flags = GPIO_V2_LINE_FLAG_INPUT | GPIO_V2_LINE_FLAG_EDGE_RISING;
    if ((gpio[2] & 1) != 0)
        request.config.flags |= GPIO_V2_LINE_FLAG_ACTIVE_LOW;
    int status = ioctl(fd, GPIO_V2_GET_LINE_IOCTL, &request);
    close(fd);
    return status == 0 ? request.fd : -1;
}

// The device tree's gpio-keys, each of which is a pin: phandle of the controller, number, flags.
static nfds_t open_power_pins(struct pollfd *buttons, nfds_t count)
{
    static const char keys_path[] = "/proc/device-tree/gpio-keys";
    char path[sizeof(keys_path) + NAME_MAX + 1];
    uint32_t code, gpio[3];
    DIR *directory = opendir(keys_path);
    if (directory == NULL)
        return count;
    for (struct dirent *entry; count < BUTTON_COUNT_MAX && (entry = readdir(directory)) != NULL;) {
        snprintf(path, sizeof(path), "%s/%s", keys_path, entry->d_name);
        if (!read_cells(path, "linux,code", &code, 1) || code != KEY_POWER ||
            !read_cells(path, "gpios", gpio, 3))
            continue;
        int fd = open_pin(gpio);
        if (fd >= 0)
            buttons[count++] = (struct pollfd){.fd = fd, .events = POLLIN};
    }
    closedir(directory);
    return count;
}

// False if the button is gone.
static bool read_key(int fd, bool *is_pressed)
{
    struct input_event event;

    if (read(fd, &event, sizeof(event)) != (ssize_t)sizeof(event))
        return false;
    *is_pressed = event.type == EV_KEY && event.code == KEY_POWER && event.value == 1;
    return true;
}

static bool read_pin(int fd, bool *is_pressed)
{
    struct gpio_v2_line_event event;

    *is_pressed = true;
    return read(fd, &event, sizeof(event)) == (ssize_t)sizeof(event);
}

// The first key_count are input devices, the others are pins.
static void wait_for_press(struct pollfd *buttons, nfds_t key_count, nfds_t count)
{
    bool is_pressed;

    while (poll(buttons, count, -1) > 0) {
        for (nfds_t i = 0; i < count; i++) {
            if (buttons[i].revents == 0)
                continue;
            if (!(i < key_count ? read_key : read_pin)(buttons[i].fd, &is_pressed))
                return;
            if (is_pressed)
                kill(1, SIGUSR2);
        }
    }
}

static void watch_power_buttons(void)
{
    if (button_watcher > 0)
        return;
    struct pollfd buttons[BUTTON_COUNT_MAX];
    nfds_t key_count = open_power_keys(buttons);
    nfds_t count = open_power_pins(buttons, key_count);
    if (count == 0)
        return;
    button_watcher = fork();
    if (button_watcher == 0) {
        reset_signals();
        wait_for_press(buttons, key_count, count);
        _exit(0);
    }
    for (nfds_t i = 0; i < count; i++)
        close(buttons[i].fd);
}

// Processes get a moment to end by themselves; a shell ends by the hang-up, since it ignores
// SIGTERM.
static void end_processes(void)
{
    kill(-1, SIGTERM);
    kill(-1, SIGHUP);
    kill(-1, SIGCONT);
    for (unsigned waited_ms = 0; waited_ms < TERMINATE_WAIT_MS; waited_ms += 10) {
        pid_t ended = waitpid(-1, NULL, WNOHANG);
        while (ended > 0)
            ended = waitpid(-1, NULL, WNOHANG);
        if (ended < 0)
            return;
        sleep_ms(10);
    }
    kill(-1, SIGKILL);
}

static void end_guest(int how)
{
    end_processes();
    sync();
    mount(NULL, "/", NULL, MS_REMOUNT | MS_RDONLY, NULL);
    reboot(how);
    report_error("reboot");
}

// Starts what does not run and can: at first, when something ended, and when modules brought
// devices.
static void start_services(struct console *consoles)
{
    for (size_t i = 0; i < CONSOLE_COUNT; i++) {
        if (consoles[i].shell == 0 && console_exists(consoles[i].name))
            start_shell(&consoles[i]);
    }
    watch_power_buttons();
}

static void note_ended(struct console *consoles, pid_t ended)
{
    if (ended == button_watcher)
        button_watcher = 0;
    for (size_t i = 0; i < CONSOLE_COUNT; i++) {
        if (consoles[i].shell != ended)
            continue;
        consoles[i].shell = 0;
        if (now_seconds() - consoles[i].started < 1)
            sleep_ms(1000);
    }
}

static void replace_ended(struct console *consoles)
{
    for (pid_t ended; (ended = waitpid(-1, NULL, WNOHANG)) > 0;)
        note_ended(consoles, ended);
    start_services(consoles);
}

static void serve_signals(struct console *consoles, const sigset_t *signals)
{
    for (;;) {
        switch (sigwaitinfo(signals, NULL)) {
        case SIGCHLD:
            replace_ended(consoles);
            break;
        case SIGUSR2:
        case SIGPWR:
            end_guest(RB_POWER_OFF);
            break;
        case SIGTERM:
        case SIGINT:
            end_guest(RB_AUTOBOOT);
            break;
        case SIGUSR1:
            end_guest(RB_HALT_SYSTEM);
            break;
        }
    }
}

static void open_standard_files(void)
{
    int fd = open("/dev/console", O_RDWR);
    if (fd < 0)
        return;
    for (int standard_fd = 0; standard_fd < 3; standard_fd++)
        dup2(fd, standard_fd);
    if (fd > 2)
        close(fd);
}

static void run_system(void)
{
    static const int handled[] = {SIGCHLD, SIGTERM, SIGINT, SIGUSR1, SIGUSR2, SIGPWR};
    struct console consoles[CONSOLE_COUNT] = {0};
    sigset_t signals;

    mount_kernel_fs("devtmpfs", "/dev", "/dev/null", MS_NOSUID);
    open_standard_files();
    mount_kernel_fs("proc", "/proc", "/proc/self", MS_NOSUID | MS_NODEV | MS_NOEXEC);
    mount_kernel_fs("sysfs", "/sys", "/sys/class", MS_NOSUID | MS_NODEV | MS_NOEXEC);
    if (mount("tmpfs", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, NULL) != 0)
        report_error("/tmp");
    sethostname("linux_guest", strlen("linux_guest"));
    sigemptyset(&signals);
    for (size_t i = 0; i < sizeof(handled) / sizeof(handled[0]); i++)
        sigaddset(&signals, handled[i]);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    reboot(RB_DISABLE_CAD);

    dprintf(STDOUT_FILENO, "linux_guest: ready\n");
    for (size_t i = 0; i < CONSOLE_COUNT; i++) {
        consoles[i].name = console_names[i];
    }
    start_services(consoles);
    serve_signals(consoles, &signals);
}

int main(int argc, char **argv)
{
    if (getpid() != 1) {
        dprintf(STDERR_FILENO, "init: only the kernel starts it\n");
        return 1;
    }
    if (argc < 2 || strcmp(argv[1], from_ramdisk) != 0)
        dprintf(STDOUT_FILENO, "linux_guest: user space\n");
    if (access(early_modules, F_OK) == 0)
        enter_root();
    run_system();
}
