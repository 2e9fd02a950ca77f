//! The sandbox's program: waits for SIGTERM or SIGINT and exits with 0.
//!
//! It is written out as an ELF file byte by byte, so that no compiler, no C library and no image has
//! to be there. The two signals are blocked and waited for, because the kernel drops signals with
//! default action that are sent to the first process of a container.

/// Where the program is loaded.
const BASE: u64 = 0x40_0000;
/// Size of the ELF header and the one program header.
const HEADERS: u64 = 64 + 56;

/// The signals waited for, as the kernel's mask: SIGINT (2) and SIGTERM (15).
const MASK: u16 = 1 << (2 - 1) | 1 << (15 - 1);

/// The program for `arch`, in the words of `std::env::consts::ARCH`.
#[must_use]
pub fn pause_program(arch: &str) -> Option<Vec<u8>> {
    match arch {
        "x86_64" => Some(elf(62, &x86_64())),
        "aarch64" => Some(elf(183, &aarch64())),
        _ => None,
    }
}

/// A static executable of one segment that holds everything.
fn elf(machine: u16, code: &[u8]) -> Vec<u8> {
    let size = HEADERS + u64::try_from(code.len()).expect("the code is a few bytes");
    let mut file = Vec::new();
    // e_ident: magic, 64 bit, little endian, version 1, no particular system.
    file.extend_from_slice(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
    file.extend_from_slice(&2_u16.to_le_bytes()); // e_type: executable
    file.extend_from_slice(&machine.to_le_bytes()); // e_machine
    file.extend_from_slice(&1_u32.to_le_bytes()); // e_version
    file.extend_from_slice(&(BASE + HEADERS).to_le_bytes()); // e_entry
    file.extend_from_slice(&64_u64.to_le_bytes()); // e_phoff
    file.extend_from_slice(&0_u64.to_le_bytes()); // e_shoff
    file.extend_from_slice(&0_u32.to_le_bytes()); // e_flags
    for half in [64_u16, 56, 1, 64, 0, 0] {
        // e_ehsize, e_phentsize, e_phnum, e_shentsize, e_shnum, e_shstrndx
        file.extend_from_slice(&half.to_le_bytes());
    }
    file.extend_from_slice(&1_u32.to_le_bytes()); // p_type: load
    file.extend_from_slice(&5_u32.to_le_bytes()); // p_flags: read and execute
    for word in [0, BASE, BASE, size, size, 0x1_0000] {
        // p_offset, p_vaddr, p_paddr, p_filesz, p_memsz, p_align
        file.extend_from_slice(&word.to_le_bytes());
    }
    file.extend_from_slice(code);
    file
}

fn x86_64() -> Vec<u8> {
    let [low, high] = MASK.to_le_bytes();
    #[rustfmt::skip]
    let code = vec![
        0x68, low, high, 0, 0,          // push MASK
        0x31, 0xff,                     // xor edi, edi          SIG_BLOCK
        0x48, 0x89, 0xe6,               // mov rsi, rsp          set
        0x31, 0xd2,                     // xor edx, edx          no old set
        0x41, 0xba, 8, 0, 0, 0,         // mov r10d, 8           size of a set
        0xb8, 14, 0, 0, 0,              // mov eax, 14           rt_sigprocmask
        0x0f, 0x05,                     // syscall
        // wait:
        0x48, 0x89, 0xe7,               // mov rdi, rsp          set
        0x31, 0xf6,                     // xor esi, esi          no info
        0x31, 0xd2,                     // xor edx, edx          no timeout
        0x41, 0xba, 8, 0, 0, 0,         // mov r10d, 8
        0xb8, 128, 0, 0, 0,             // mov eax, 128          rt_sigtimedwait
        0x0f, 0x05,                     // syscall
        0x85, 0xc0,                     // test eax, eax
        0x78, 0xe8,                     // js wait               interrupted
        0x31, 0xff,                     // xor edi, edi
        0xb8, 60, 0, 0, 0,              // mov eax, 60           exit
        0x0f, 0x05,                     // syscall
    ];
    code
}

fn aarch64() -> Vec<u8> {
    /// `movz x<register>, #value`
    fn movz(register: u32, value: u16) -> u32 {
        0xd280_0000 | u32::from(value) << 5 | register
    }
    const SVC: u32 = 0xd400_0001;
    const MOV_X0_SP: u32 = 0x9100_03e0;
    const MOV_X1_SP: u32 = 0x9100_03e1;
    let words = [
        movz(0, MASK),
        0xf81f_0fe0,  // str x0, [sp, #-16]!
        movz(0, 0),   // SIG_BLOCK
        MOV_X1_SP,    // set
        movz(2, 0),   // no old set
        movz(3, 8),   // size of a set
        movz(8, 135), // rt_sigprocmask
        SVC,
        // wait:
        MOV_X0_SP,  // set
        movz(1, 0), // no info
        movz(2, 0), // no timeout
        movz(3, 8),
        movz(8, 137), // rt_sigtimedwait
        SVC,
        0x37f8_0000 | ((-6_i32).cast_unsigned() & 0x3fff) << 5, // tbnz w0, #31, wait
        movz(0, 0),
        movz(8, 93), // exit
        SVC,
    ];
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_processors_are_said_to_be_unknown() {
        assert_eq!(pause_program("sparc"), None);
    }

    #[test]
    fn the_jumps_lead_to_the_wait() {
        let code = x86_64();
        let jump = code.windows(2).position(|pair| pair == [0x78, 0xe8]).unwrap();
        let back = 0x100 - 0xe8;
        assert_eq!(&code[jump + 2 - back..jump + 5 - back], [0x48, 0x89, 0xe7]);
        let code = aarch64();
        assert_eq!(code[14 * 4..15 * 4], 0x37ff_ff40_u32.to_le_bytes());
        assert_eq!(code[8 * 4..9 * 4], 0x9100_03e0_u32.to_le_bytes());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn it_waits_and_ends_with_0_when_asked() {
        use std::os::unix::fs::PermissionsExt as _;
        let Some(program) = pause_program(std::env::consts::ARCH) else { return };
        let path = std::env::temp_dir().join(format!("rehearse-pause-{}", std::process::id()));
        std::fs::write(&path, program).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        let mut child = std::process::Command::new(&path).spawn().unwrap();
        // The signal may come before the program has blocked it; only then it dies of it.
        let state = || std::fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap();
        while !state().contains(") S ") {
            std::thread::yield_now();
        }
        assert!(child.try_wait().unwrap().is_none());
        let pid = child.id().to_string();
        std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap();
        let status = child.wait().unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(status.code(), Some(0));
    }
}
