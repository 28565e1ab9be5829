//! policy, key-generation and signing together, without processes: each test makes a system whose
//! call edges are function calls, sends it what a client or a hostile host would, and compares the
//! whole answer. What needs processes (restarts, kills, sockets) is in `emulator/tests`.

mod decisions;
mod memory;
mod requests;
mod system;
mod tickets;
mod wallets;
