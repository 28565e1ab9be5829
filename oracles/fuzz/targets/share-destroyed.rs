//! The fuzz target `share-destroyed`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("share-destroyed");
