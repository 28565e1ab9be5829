//! The header of a virtio-vsock packet (virtio 1.2, 5.10.6): 44 bytes, little-endian.
//!
//! Guarantees: every 44 bytes are a header, and encoding gives them back; what a field means is
//! decided where it is used. Does not: bound `len`; the device does, against the buffer.

/// Bytes of a header.
pub const HEADER_LEN: usize = 44;

/// The only type of socket that is served: a stream.
pub const TYPE_STREAM: u16 = 1;

/// In the flags of a SHUTDOWN: its sender will receive nothing more.
pub const SHUTDOWN_RECEIVE: u32 = 1;
/// In the flags of a SHUTDOWN: its sender will send nothing more.
pub const SHUTDOWN_SEND: u32 = 2;

/// What a packet is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Asks for a connection.
    Request,
    /// Accepts one.
    Response,
    /// Refuses or ends one at once.
    Reset,
    /// Says that its sender will send or receive nothing more.
    Shutdown,
    /// Carries bytes.
    Data,
    /// Tells how much room its sender has.
    CreditUpdate,
    /// Asks for that.
    CreditRequest,
}

impl Operation {
    /// The operation of this number.
    pub const fn of(number: u16) -> Option<Self> {
        Some(match number {
            1 => Self::Request,
            2 => Self::Response,
            3 => Self::Reset,
            4 => Self::Shutdown,
            5 => Self::Data,
            6 => Self::CreditUpdate,
            7 => Self::CreditRequest,
            _ => return None,
        })
    }

    /// Its number.
    pub const fn number(self) -> u16 {
        match self {
            Self::Request => 1,
            Self::Response => 2,
            Self::Reset => 3,
            Self::Shutdown => 4,
            Self::Data => 5,
            Self::CreditUpdate => 6,
            Self::CreditRequest => 7,
        }
    }
}

/// A header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// Who sends.
    pub src_cid: u64,
    /// Who receives.
    pub dst_cid: u64,
    /// The sender's port.
    pub src_port: u32,
    /// The receiver's port.
    pub dst_port: u32,
    /// Bytes behind the header.
    pub len: u32,
    /// The type of socket.
    pub kind: u16,
    /// The operation's number.
    pub operation: u16,
    /// What it means depends on the operation.
    pub flags: u32,
    /// Size of the sender's receive buffer, in bytes.
    pub buf_alloc: u32,
    /// How many bytes the sender has taken out of that buffer since the connection began, modulo
    /// 2³².
    pub fwd_cnt: u32,
}

impl Header {
    /// Reads a header.
    pub fn parse(bytes: &[u8; HEADER_LEN]) -> Self {
        let mut fields = Fields(bytes);
        Self {
            src_cid: u64::from_le_bytes(fields.take()),
            dst_cid: u64::from_le_bytes(fields.take()),
            src_port: u32::from_le_bytes(fields.take()),
            dst_port: u32::from_le_bytes(fields.take()),
            len: u32::from_le_bytes(fields.take()),
            kind: u16::from_le_bytes(fields.take()),
            operation: u16::from_le_bytes(fields.take()),
            flags: u32::from_le_bytes(fields.take()),
            buf_alloc: u32::from_le_bytes(fields.take()),
            fwd_cnt: u32::from_le_bytes(fields.take()),
        }
    }

    /// Writes it.
    pub fn encode(&self) -> [u8; HEADER_LEN] {
        let mut bytes = [0; HEADER_LEN];
        let fields: [&[u8]; 10] = [
            &self.src_cid.to_le_bytes(),
            &self.dst_cid.to_le_bytes(),
            &self.src_port.to_le_bytes(),
            &self.dst_port.to_le_bytes(),
            &self.len.to_le_bytes(),
            &self.kind.to_le_bytes(),
            &self.operation.to_le_bytes(),
            &self.flags.to_le_bytes(),
            &self.buf_alloc.to_le_bytes(),
            &self.fwd_cnt.to_le_bytes(),
        ];
        for (to, from) in bytes.iter_mut().zip(fields.into_iter().flatten()) {
            *to = *from;
        }
        bytes
    }
}

/// What is left of a header.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    /// The next field. The fields add up to the header's length, so none is ever missing.
    fn take<const LEN: usize>(&mut self) -> [u8; LEN] {
        let (field, rest) = self.0.split_first_chunk().unwrap_or((&[0; LEN], &[]));
        self.0 = rest;
        *field
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_where_the_standard_puts_it() {
        let mut bytes = [0; HEADER_LEN];
        for (byte, value) in bytes.iter_mut().zip(0_u8..) {
            *byte = value;
        }
        let header = Header::parse(&bytes);
        assert_eq!(header.src_cid, 0x0706_0504_0302_0100);
        assert_eq!(header.dst_cid, 0x0f0e_0d0c_0b0a_0908);
        assert_eq!(header.src_port, 0x1312_1110);
        assert_eq!(header.dst_port, 0x1716_1514);
        assert_eq!(header.len, 0x1b1a_1918);
        assert_eq!(header.kind, 0x1d1c);
        assert_eq!(header.operation, 0x1f1e);
        assert_eq!(header.flags, 0x2322_2120);
        assert_eq!(header.buf_alloc, 0x2726_2524);
        assert_eq!(header.fwd_cnt, 0x2b2a_2928);
        assert_eq!(header.encode(), bytes);
    }

    #[test]
    fn operations_and_numbers_agree() {
        for number in 0..=u16::MAX {
            match Operation::of(number) {
                Some(operation) => assert_eq!(operation.number(), number),
                None => assert!(number == 0 || number > 7, "{number}"),
            }
        }
    }
}
