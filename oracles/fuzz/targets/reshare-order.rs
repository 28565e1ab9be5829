//! The fuzz target `reshare-order`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("reshare-order");
