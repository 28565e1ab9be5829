//! The fuzz target `reshare-receipt`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("reshare-receipt");
