//! Numbers and layouts against `linux/nitro_enclaves.h` of this machine: the header is compiled,
//! and what the C compiler made of it compared.
#![allow(missing_docs)]

use std::mem::offset_of;
use std::path::Path;
use std::process::Command;

use quorate_launcher::error::DriverCode;
use quorate_launcher::sys;

const HEADER: &str = "/usr/include/linux/nitro_enclaves.h";

#[test]
fn numbers_and_layouts_are_those_of_the_header() {
    let compiler = Command::new("cc").arg("--version").output();
    if !Path::new(HEADER).exists() || !compiler.is_ok_and(|c| c.status.success()) {
        println!("needs cc and {HEADER} (linux-libc-dev): nothing was compared");
        return;
    }
    let codes = [
        "NE_ERR_VCPU_ALREADY_USED",
        "NE_ERR_VCPU_NOT_IN_CPU_POOL",
        "NE_ERR_VCPU_INVALID_CPU_CORE",
        "NE_ERR_INVALID_MEM_REGION_SIZE",
        "NE_ERR_INVALID_MEM_REGION_ADDR",
        "NE_ERR_UNALIGNED_MEM_REGION_ADDR",
        "NE_ERR_MEM_REGION_ALREADY_USED",
        "NE_ERR_MEM_NOT_HUGE_PAGE",
        "NE_ERR_MEM_DIFFERENT_NUMA_NODE",
        "NE_ERR_MEM_MAX_REGIONS",
        "NE_ERR_NO_MEM_REGIONS_ADDED",
        "NE_ERR_NO_VCPUS_ADDED",
        "NE_ERR_ENCLAVE_MEM_MIN_SIZE",
        "NE_ERR_FULL_CORES_NOT_USED",
        "NE_ERR_NOT_IN_INIT_STATE",
        "NE_ERR_INVALID_VCPU",
        "NE_ERR_NO_CPUS_AVAIL_IN_POOL",
        "NE_ERR_INVALID_PAGE_SIZE",
        "NE_ERR_INVALID_FLAG_VALUE",
        "NE_ERR_INVALID_ENCLAVE_CID",
    ];
    let numbers = DriverCode::ALL.map(|code| u64::try_from(code as i32).expect("positive"));
    let mut expected: Vec<(String, u64)> =
        codes.map(String::from).into_iter().zip(numbers).collect();
    let mut expect = |name: &str, value: u64| expected.push((name.into(), value));
    expect("NE_CREATE_VM", sys::CREATE_VM);
    expect("NE_ADD_VCPU", sys::ADD_VCPU);
    expect("NE_GET_IMAGE_LOAD_INFO", sys::GET_IMAGE_LOAD_INFO);
    expect("NE_SET_USER_MEMORY_REGION", sys::SET_USER_MEMORY_REGION);
    expect("NE_START_ENCLAVE", sys::START_ENCLAVE);
    expect("NE_EIF_IMAGE", sys::EIF_IMAGE);
    expect("NE_DEFAULT_MEMORY_REGION", sys::DEFAULT_MEMORY_REGION);
    expect("NE_ENCLAVE_PRODUCTION_MODE", sys::PRODUCTION_MODE);
    expect("NE_ENCLAVE_DEBUG_MODE", sys::DEBUG_MODE);
    let mut layout = |name: &str, size: usize, fields: &[(&str, usize)]| {
        expect(&format!("sizeof(struct {name})"), size as u64);
        for (field, offset) in fields {
            expect(&format!("offsetof(struct {name}, {field})"), *offset as u64);
        }
    };
    layout(
        "ne_image_load_info",
        size_of::<sys::ImageLoadInfo>(),
        &[
            ("flags", offset_of!(sys::ImageLoadInfo, flags)),
            (
                "memory_offset",
                offset_of!(sys::ImageLoadInfo, memory_offset),
            ),
        ],
    );
    layout(
        "ne_user_memory_region",
        size_of::<sys::UserMemoryRegion>(),
        &[
            ("flags", offset_of!(sys::UserMemoryRegion, flags)),
            (
                "memory_size",
                offset_of!(sys::UserMemoryRegion, memory_size),
            ),
            (
                "userspace_addr",
                offset_of!(sys::UserMemoryRegion, userspace_addr),
            ),
        ],
    );
    layout(
        "ne_enclave_start_info",
        size_of::<sys::EnclaveStartInfo>(),
        &[
            ("flags", offset_of!(sys::EnclaveStartInfo, flags)),
            (
                "enclave_cid",
                offset_of!(sys::EnclaveStartInfo, enclave_cid),
            ),
        ],
    );
    let lines: String = expected
        .iter()
        .map(|(name, _)| format!("printf(\"%llu\\n\", (unsigned long long)({name}));\n"))
        .collect();
    let source = format!(
        "#include <stddef.h>\n#include <stdio.h>\n#include <sys/ioctl.h>\n\
         #include <linux/nitro_enclaves.h>\nint main(void) {{\n{lines}return 0; }}\n"
    );
    let folder = tempfile::tempdir().expect("a folder");
    let (file, program) = (folder.path().join("abi.c"), folder.path().join("abi"));
    std::fs::write(&file, source).expect("written");
    let compiled = Command::new("cc")
        .arg(&file)
        .arg("-o")
        .arg(&program)
        .output();
    let compiled = compiled.expect("cc runs");
    assert!(compiled.status.success(), "{compiled:?}");
    let ran = Command::new(&program).output().expect("it runs");
    let printed = String::from_utf8(ran.stdout).expect("digits");
    let found: Vec<(String, u64)> = expected
        .iter()
        .zip(printed.lines())
        .map(|((name, _), line)| (name.clone(), line.parse().expect("a number")))
        .collect();
    assert_eq!(found, expected);
}
