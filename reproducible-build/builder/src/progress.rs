//! What a long step tells whoever waits for it.
//!
//! Does not: print. The command line decides how.

/// Hears how far a build is. Every method may do nothing.
pub trait Progress: Sync {
    /// A step begins; `total` is its size in bytes, when it is known.
    fn begin(&self, step: &str, total: Option<u64>);
    /// So many bytes more.
    fn advance(&self, bytes: u64);
    /// The step ended.
    fn end(&self);
    /// One line worth reading.
    fn note(&self, line: &str);
}

/// Nobody waits.
#[derive(Clone, Copy, Debug)]
pub struct Silent;

impl Progress for Silent {
    fn begin(&self, _: &str, _: Option<u64>) {}
    fn advance(&self, _: u64) {}
    fn end(&self) {}
    fn note(&self, _: &str) {}
}
