//! The fuzz target `vsock`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("vsock");
