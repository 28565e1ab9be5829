//! The operator's side of a ceremony.
