//! The fuzz target `reshare-consent`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("reshare-consent");
