// Port I/O instructions, and the legacy PC devices that the kernel itself touches.
#pragma once

#include <stdint.h>

static inline uint8_t io_read8(uint16_t port)
{
    uint8_t value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

static inline uint16_t io_read16(uint16_t port)
{
    uint16_t value;
    __asm__ volatile("inw %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

static inline uint32_t io_read32(uint16_t port)
{
    uint32_t value;
    __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

static inline void io_write8(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline void io_write16(uint16_t port, uint16_t value)
{
    __asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline void io_write32(uint16_t port, uint32_t value)
{
    __asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

// 8259 pair
#define PIC_MASTER_COMMAND 0x20
#define PIC_MASTER_DATA    0x21
#define PIC_SLAVE_COMMAND  0xa0
#define PIC_SLAVE_DATA     0xa1
#define PIC_ICW1_INIT_ICW4 0x11
#define PIC_ICW3_MASTER    0x04 // the slave is on input 2
#define PIC_ICW3_SLAVE     0x02
#define PIC_ICW4_8086      0x01
#define PIC_MASK_ALL       0xff

// 8254 and the port that gates its channel 2
#define PIT_CHANNEL2          0x42
#define PIT_COMMAND           0x43
#define PIT_CHANNEL2_ONE_SHOT 0xb0 // channel 2, low then high byte, mode 0
#define PIT_FREQUENCY_HZ      1193182
#define PORT_B                0x61
#define PORT_B_TIMER2_GATE    0x01
#define PORT_B_SPEAKER        0x02
#define PORT_B_TIMER2_OUT     0x20

// MC146818
#define RTC_INDEX      0x70
#define RTC_DATA       0x71
#define RTC_SECONDS    0x00
#define RTC_MINUTES    0x02
#define RTC_HOURS      0x04
#define RTC_DAY        0x07
#define RTC_MONTH      0x08
#define RTC_YEAR       0x09
#define RTC_STATUS_A   0x0a
#define RTC_STATUS_B   0x0b
#define RTC_A_UPDATE   0x80
#define RTC_B_24_HOURS 0x02
#define RTC_B_BINARY   0x04
#define RTC_HOURS_PM   0x80

// Keyboard controller and the chipset's reset register
#define I8042_COMMAND       0x64
#define I8042_INPUT_FULL    0x02
#define I8042_PULSE_RESET   0xfe
#define RESET_CONTROL       0xcf9
#define RESET_CONTROL_HARD  0x02
#define RESET_CONTROL_RESET 0x06
