//! The fuzz target `reshare-record`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("reshare-record");
