//! An image as fields that can be set to anything, written by code that shares nothing with the
//! writer under test: its own layout and its own checksum, bit by bit.

#![allow(dead_code, reason = "each test binary uses its own part")]

use quorate_eif::{Architecture, Parts};

#[derive(Clone)]
pub(crate) struct RawSection {
    pub(crate) kind: u16,
    pub(crate) flags: u16,
    pub(crate) size: u64,
    pub(crate) content: Vec<u8>,
}

#[derive(Clone)]
pub(crate) struct Raw {
    pub(crate) version: u16,
    pub(crate) flags: u16,
    pub(crate) memory: u64,
    pub(crate) cpus: u64,
    pub(crate) reserved: u16,
    pub(crate) count: u16,
    pub(crate) offsets: [u64; 32],
    pub(crate) sizes: [u64; 32],
    pub(crate) unused: u32,
    pub(crate) sections: Vec<RawSection>,
}

impl Raw {
    /// Tables that fit the sections.
    fn lay_out(&mut self) {
        self.count = u16::try_from(self.sections.len()).expect("few");
        self.offsets = [0; 32];
        self.sizes = [0; 32];
        let mut at = 548;
        for (index, section) in self.sections.iter_mut().enumerate() {
            section.size = section.content.len() as u64;
            self.offsets[index] = at;
            self.sizes[index] = section.size;
            at += 12 + section.size;
        }
    }

    pub(crate) fn fill(&mut self, index: usize, content: Vec<u8>) {
        self.sections[index].content = content;
        self.lay_out();
    }

    pub(crate) fn remove(&mut self, index: usize) {
        self.sections.remove(index);
        self.lay_out();
    }

    pub(crate) fn push(&mut self, kind: u16, content: Vec<u8>) {
        let (flags, size) = (0, 0);
        self.sections.push(RawSection {
            kind,
            flags,
            size,
            content,
        });
        self.lay_out();
    }
}

pub(crate) const KERNEL: &[u8] = b"a kernel, or what stands for one";
pub(crate) const COMMAND_LINE: &str = "reboot=k panic=30";
pub(crate) const METADATA: &[u8] = b"{}";
pub(crate) const RAMDISKS: [&[u8]; 2] = [b"the operating system", b"an application"];

pub(crate) fn parts() -> Parts<'static> {
    Parts {
        architecture: Architecture::X86_64,
        kernel: KERNEL,
        command_line: COMMAND_LINE,
        ramdisks: &RAMDISKS,
        metadata: METADATA,
    }
}

/// A good image of [`parts`].
pub(crate) fn raw() -> Raw {
    let mut image = Raw {
        version: 4,
        flags: 0,
        memory: 1 << 30,
        cpus: 2,
        reserved: 0,
        count: 0,
        offsets: [0; 32],
        sizes: [0; 32],
        unused: 0,
        sections: Vec::new(),
    };
    image.push(1, KERNEL.to_vec());
    image.push(2, COMMAND_LINE.as_bytes().to_vec());
    image.push(5, METADATA.to_vec());
    for ramdisk in RAMDISKS {
        image.push(3, ramdisk.to_vec());
    }
    image
}

/// The bytes, with a checksum that fits them.
pub(crate) fn sealed(image: &Raw) -> Vec<u8> {
    let mut bytes = b".eif".to_vec();
    bytes.extend(image.version.to_be_bytes());
    bytes.extend(image.flags.to_be_bytes());
    bytes.extend(image.memory.to_be_bytes());
    bytes.extend(image.cpus.to_be_bytes());
    bytes.extend(image.reserved.to_be_bytes());
    bytes.extend(image.count.to_be_bytes());
    for number in image.offsets.iter().chain(&image.sizes) {
        bytes.extend(number.to_be_bytes());
    }
    bytes.extend(image.unused.to_be_bytes());
    let mut behind = Vec::new();
    for section in &image.sections {
        behind.extend(section.kind.to_be_bytes());
        behind.extend(section.flags.to_be_bytes());
        behind.extend(section.size.to_be_bytes());
        behind.extend(&section.content);
    }
    let sum = crc32(bytes.iter().chain(&behind));
    bytes.extend(sum.to_be_bytes());
    bytes.extend(behind);
    bytes
}

/// CRC-32 of IEEE 802.3, from its definition.
pub(crate) fn crc32<'a>(bytes: impl Iterator<Item = &'a u8>) -> u32 {
    !bytes.fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            sum >> 1 ^ if sum & 1 == 1 { 0xedb8_8320 } else { 0 }
        })
    })
}
