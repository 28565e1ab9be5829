//! The fuzz target `redeemed`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("redeemed");
