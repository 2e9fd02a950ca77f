//! A web server of one page, for images made `FROM scratch`: `web PORT PAGE`.
//!
//! Answers every request on every path with the page and ends at once on SIGTERM. It needs no
//! libraries and no operating system beyond the Linux system calls; the build script compiles it and
//! the program carries it along.
//!
//! Invariant: one connection at a time, each for at most two seconds.
#![no_std]
#![no_main]

use core::arch::{asm, global_asm};
use core::mem::MaybeUninit;

#[cfg(target_arch = "x86_64")]
global_asm!(".globl _start", "_start:", "mov rdi, rsp", "and rsp, -16", "call {main}", main = sym main);
#[cfg(target_arch = "aarch64")]
global_asm!(".globl _start", "_start:", "mov x0, sp", "bl {main}", main = sym main);

/// Numbers of system calls.
#[cfg(target_arch = "x86_64")]
mod number {
    pub const READ: usize = 0;
    pub const WRITE: usize = 1;
    pub const CLOSE: usize = 3;
    pub const RT_SIGACTION: usize = 13;
    pub const SOCKET: usize = 41;
    pub const ACCEPT: usize = 43;
    pub const SHUTDOWN: usize = 48;
    pub const BIND: usize = 49;
    pub const LISTEN: usize = 50;
    pub const SETSOCKOPT: usize = 54;
    pub const EXIT_GROUP: usize = 231;
}
#[cfg(target_arch = "aarch64")]
mod number {
    pub const CLOSE: usize = 57;
    pub const READ: usize = 63;
    pub const WRITE: usize = 64;
    pub const EXIT_GROUP: usize = 94;
    pub const RT_SIGACTION: usize = 134;
    pub const SOCKET: usize = 198;
    pub const BIND: usize = 200;
    pub const LISTEN: usize = 201;
    pub const ACCEPT: usize = 202;
    pub const SETSOCKOPT: usize = 208;
    pub const SHUTDOWN: usize = 210;
}

#[cfg(target_arch = "x86_64")]
fn call(number: usize, a: usize, b: usize, c: usize, d: usize, e: usize) -> isize {
    let result: isize;
    unsafe {
        asm!("syscall", inlateout("rax") number as isize => result, in("rdi") a, in("rsi") b,
             in("rdx") c, in("r10") d, in("r8") e, lateout("rcx") _, lateout("r11") _);
    }
    result
}

#[cfg(target_arch = "aarch64")]
fn call(number: usize, a: usize, b: usize, c: usize, d: usize, e: usize) -> isize {
    let result: isize;
    unsafe {
        asm!("svc 0", in("x8") number, inlateout("x0") a as isize => result, in("x1") b,
             in("x2") c, in("x3") d, in("x4") e);
    }
    result
}

fn exit(code: usize) -> ! {
    loop {
        call(number::EXIT_GROUP, code, 0, 0, 0, 0);
    }
}

extern "C" fn on_signal(_: i32) {
    exit(0)
}

/// `struct sigaction` as the kernel takes it.
#[repr(C)]
struct SignalAction {
    handler: extern "C" fn(i32),
    flags: usize,
    restorer: extern "C" fn(i32),
    mask: u64,
}

fn end_on_signals() {
    const SA_RESTORER: usize = 0x0400_0000;
    let action =
        SignalAction { handler: on_signal, flags: SA_RESTORER, restorer: on_signal, mask: 0 };
    for signal in [2, 15] {
        call(number::RT_SIGACTION, signal, &raw const action as usize, 0, 8, 0);
    }
}

/// Text of a C string; empty for null.
unsafe fn text(pointer: *const u8) -> &'static [u8] {
    if pointer.is_null() {
        return &[];
    }
    let mut length = 0;
    unsafe {
        // Volatile, so that the loop is not made a call of a C library that is not there.
        while pointer.add(length).read_volatile() != 0 {
            length += 1;
        }
        core::slice::from_raw_parts(pointer, length)
    }
}

fn write(fd: usize, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let written = call(number::WRITE, fd, bytes.as_ptr() as usize, bytes.len(), 0, 0);
        if written <= 0 {
            return;
        }
        bytes = bytes.get(written as usize..).unwrap_or_default();
    }
}

/// Writes `number` in decimal, digit by digit.
fn write_decimal(fd: usize, number: usize) {
    let mut power = 1;
    while number / power >= 10 {
        power *= 10;
    }
    while power > 0 {
        write(fd, &[b'0' + (number / power % 10) as u8]);
        power /= 10;
    }
}

fn listen(port: u16) -> usize {
    let socket = call(number::SOCKET, 2, 1, 0, 0, 0);
    if socket < 0 {
        exit(1);
    }
    let socket = socket as usize;
    let one: u32 = 1;
    call(number::SETSOCKOPT, socket, 1, 2, &raw const one as usize, 4);
    let [high, low] = port.to_be_bytes();
    let address: [u8; 16] = [2, 0, high, low, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    if call(number::BIND, socket, address.as_ptr() as usize, 16, 0, 0) < 0
        || call(number::LISTEN, socket, 128, 0, 0, 0) < 0
    {
        exit(1);
    }
    socket
}

fn answer(connection: usize, page: &[u8]) {
    // SO_RCVTIMEO: a client that says nothing is not waited for.
    let patience: [u64; 2] = [2, 0];
    call(number::SETSOCKOPT, connection, 1, 20, patience.as_ptr() as usize, 16);
    let mut request = MaybeUninit::<[u8; 4096]>::uninit();
    let read = call(number::READ, connection, request.as_mut_ptr() as usize, 4096, 0, 0);
    if read > 0 {
        write(connection, b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: ");
        write_decimal(connection, page.len());
        write(connection, b"\r\n\r\n");
        write(connection, page);
    }
    call(number::SHUTDOWN, connection, 1, 0, 0, 0);
    call(number::CLOSE, connection, 0, 0, 0, 0);
}

unsafe extern "C" fn main(stack: *const usize) -> ! {
    let (port, page) = unsafe {
        let arguments = stack.add(1).cast::<*const u8>();
        if *stack < 3 {
            exit(2);
        }
        (text(*arguments.add(1)), text(*arguments.add(2)))
    };
    let port = port.iter().fold(0_u32, |number, digit| {
        number.wrapping_mul(10).wrapping_add(u32::from(digit.wrapping_sub(b'0')))
    });
    end_on_signals();
    let socket = listen(port as u16);
    write(1, b"serving on port ");
    write_decimal(1, port as usize);
    write(1, b"\n");
    loop {
        let connection = call(number::ACCEPT, socket, 0, 0, 0, 0);
        if connection >= 0 {
            answer(connection as usize, page);
        }
    }
}

/// The precompiled core library refers to it; nothing unwinds here.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    exit(3)
}
