//! The fuzz target `share-words`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("share-words");
