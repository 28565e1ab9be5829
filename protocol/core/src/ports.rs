//! The table of port numbers (`protocol/quorate.cddl` holds it too; a test compares them).

/// Operators: every message.
pub const OPERATOR: u32 = 5000;
/// Anyone: status, attestation, evidence.
pub const PUBLIC: u32 = 5001;
/// Applications listen from here on.
pub const FIRST_APPLICATION: u32 = 5100;
/// Ports of applications. The last number of all means "any port" to vsock.
pub const APPLICATIONS: core::ops::RangeInclusive<u32> = FIRST_APPLICATION..=u32::MAX - 1;
/// The parent's port, on which its egress proxy listens. An enclave connects there.
pub const EGRESS: u32 = 5010;
