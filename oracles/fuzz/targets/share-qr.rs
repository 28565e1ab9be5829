//! The fuzz target `share-qr`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("share-qr");
