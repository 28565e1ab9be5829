//! Ways out of the sandbox, one a name: each makes the system calls of a hostile program and says
//! what the kernel answered.
//!
//! Guarantees: an attack that succeeds says so; nothing here looks away. Does not: stop at the first
//! refusal, or know what the right answer is; the test does.

use nix::errno::Errno;
use nix::libc;

use crate::floods;
use crate::sys::call;

/// Descriptors by the order that init keeps.
const RECORD: i32 = 3;
const KEYS: i32 = 4;
pub(crate) const CONTROL: i32 = 5;
const LISTENER: i32 = 6;
/// From where init executed this program.
pub(crate) const BINARY: i32 = 4096;

const AT_FDCWD: i32 = libc::AT_FDCWD;
const PRIVATE: i32 = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
/// What a thread is made with.
const THREAD: i32 = libc::CLONE_VM
    | libc::CLONE_FS
    | libc::CLONE_FILES
    | libc::CLONE_SIGHAND
    | libc::CLONE_THREAD
    | libc::CLONE_SYSVSEM;
/// getpid by the numbers of the x32 interface.
const X32_GETPID: i64 = 0x4000_0000 + libc::SYS_getpid;

/// Makes the attack of this name; `None` if there is none.
pub(crate) fn attempt(name: &str) -> Option<Result<i64, Errno>> {
    let (mut a, mut b) = ([0_u8; 256], [0_u8; 256]);
    Some(match name {
        // Files and devices: there are none.
        "open-nsm" => attack!(libc::SYS_openat, AT_FDCWD, c"/dev/nsm", libc::O_RDWR),
        "open-vsock-device" => attack!(libc::SYS_openat, AT_FDCWD, c"/dev/vsock", libc::O_RDWR),
        "open-kernel-log" => attack!(libc::SYS_openat, AT_FDCWD, c"/dev/kmsg", libc::O_RDONLY),
        "open-memory-device" => attack!(libc::SYS_openat, AT_FDCWD, c"/dev/mem", libc::O_RDWR),
        "open-console" => attack!(libc::SYS_openat, AT_FDCWD, c"/dev/console", libc::O_RDWR),
        "open-own-memory" => attack!(libc::SYS_openat, AT_FDCWD, c"/proc/self/mem", libc::O_RDWR),
        "open-memory-of-init" => attack!(libc::SYS_openat, AT_FDCWD, c"/proc/1/mem", libc::O_RDWR),
        "open-environment-of-init" => attack!(
            libc::SYS_openat,
            AT_FDCWD,
            c"/proc/1/environ",
            libc::O_RDONLY
        ),
        "open-kernel-settings" => attack!(
            libc::SYS_openat,
            AT_FDCWD,
            c"/proc/sys/kernel/core_pattern",
            libc::O_WRONLY
        ),
        "open-sys" => attack!(
            libc::SYS_openat,
            AT_FDCWD,
            c"/sys/kernel/security/lockdown",
            libc::O_RDONLY
        ),
        "open-cgroup" => attack!(
            libc::SYS_openat,
            AT_FDCWD,
            c"/cgroup/cgroup.procs",
            libc::O_WRONLY
        ),
        "open-binary-of-init" => attack!(libc::SYS_openat, AT_FDCWD, c"/init", libc::O_RDONLY),
        "open-above-the-root" => attack!(
            libc::SYS_openat,
            AT_FDCWD,
            c"../../../dev/nsm",
            libc::O_RDWR
        ),
        "list-the-root" => attack!(libc::SYS_openat, AT_FDCWD, c"/", libc::O_DIRECTORY),
        "open-by-openat2" => attack!(libc::SYS_openat2, AT_FDCWD, c"/dev/nsm", &mut a, 24),
        "look-at-the-device" => attack!(libc::SYS_newfstatat, AT_FDCWD, c"/dev/nsm", &mut a, 0),
        "look-at-processes" => attack!(libc::SYS_newfstatat, AT_FDCWD, c"/proc/1", &mut a, 0),
        "create-a-file" => attack!(
            libc::SYS_openat,
            AT_FDCWD,
            c"/file",
            libc::O_CREAT | libc::O_RDWR,
            0o600
        ),
        "create-a-folder" => attack!(libc::SYS_mkdir, c"/folder", 0o700),
        "create-a-device" => attack!(libc::SYS_mknod, c"/device", libc::S_IFCHR | 0o600, 0x101),
        "create-a-link" => attack!(libc::SYS_symlink, c"/dev/nsm", c"/link"),
        "create-a-temporary-file" => attack!(
            libc::SYS_openat,
            AT_FDCWD,
            c"/",
            libc::O_TMPFILE | libc::O_RDWR,
            0o600
        ),
        "remove-a-folder" => attack!(libc::SYS_rmdir, c"/"),
        "change-a-mode" => attack!(libc::SYS_fchmod, KEYS, 0o777),
        "change-an-owner" => attack!(libc::SYS_fchown, KEYS, 0, 0),
        "write-the-launch-record" => attack!(libc::SYS_pwrite64, RECORD, &mut a, 1, 0),
        "watch-files" => attack!(libc::SYS_inotify_init1, 0),
        "watch-the-file-system" => attack!(libc::SYS_fanotify_init, 0, 0),
        "take-a-handle-of-a-file" => attack!(
            libc::SYS_name_to_handle_at,
            AT_FDCWD,
            c"/",
            &mut a,
            &mut b,
            0
        ),
        "open-a-handle-of-a-file" => attack!(
            libc::SYS_open_by_handle_at,
            AT_FDCWD,
            &mut a,
            libc::O_RDONLY
        ),
        "read-a-folder" => attack!(libc::SYS_getdents64, RECORD, &mut a, 128),
        "splice-descriptors" => attack!(libc::SYS_splice, RECORD, 0, KEYS, 0, 1, 0),
        "limit-a-quota" => attack!(libc::SYS_quotactl, 0, c"/", 0, &mut a),
        // The root.
        "change-the-root" => attack!(libc::SYS_chroot, c"/"),
        "pivot-the-root" => attack!(libc::SYS_pivot_root, c"/", c"/"),
        "mount-a-file-system" => attack!(libc::SYS_mount, c"proc", c"/", c"proc", 0, 0),
        "mount-a-tree" => attack!(libc::SYS_mount, c"/", c"/", c"", libc::MS_BIND, 0),
        "remount-the-root" => attack!(libc::SYS_mount, c"", c"/", c"", libc::MS_REMOUNT, 0),
        "unmount-the-root" => attack!(libc::SYS_umount2, c"/", libc::MNT_DETACH),
        "make-a-file-system" => attack!(libc::SYS_fsopen, c"tmpfs", 0),
        "clone-a-mount" => attack!(libc::SYS_open_tree, AT_FDCWD, c"/", 1),
        "move-a-mount" => attack!(libc::SYS_move_mount, AT_FDCWD, c"/", AT_FDCWD, c"/", 0),
        "leave-the-folder" => attack!(libc::SYS_chdir, c"/.."),
        // Code.
        "execute-a-file" => attack!(libc::SYS_execve, c"/init", 0, 0),
        "execute-the-keys" => attack!(libc::SYS_execveat, KEYS, c"", 0, 0, libc::AT_EMPTY_PATH),
        "execute-once-more" => attack!(libc::SYS_execveat, BINARY, c"", 0, 0, libc::AT_EMPTY_PATH),
        "execute-by-path" => attack!(
            libc::SYS_execveat,
            BINARY,
            c"/init",
            0,
            0,
            libc::AT_EMPTY_PATH
        ),
        "take-the-number-of-the-binary" => attack!(libc::SYS_dup2, CONTROL, BINARY),
        "take-a-number-above-all" => {
            attack!(libc::SYS_fcntl, CONTROL, libc::F_DUPFD_CLOEXEC, BINARY)
        }
        "make-a-file-in-memory" => attack!(libc::SYS_memfd_create, c"code", 0),
        "make-a-secret-file" => attack!(libc::SYS_memfd_secret, 0),
        "map-code" => attack!(
            libc::SYS_mmap,
            0,
            4096,
            libc::PROT_READ | libc::PROT_EXEC,
            PRIVATE,
            -1,
            0
        ),
        "map-writable-code" => attack!(
            libc::SYS_mmap,
            0,
            4096,
            libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC,
            PRIVATE,
            -1,
            0
        ),
        "map-code-from-the-keys" => attack!(
            libc::SYS_mmap,
            0,
            4096,
            libc::PROT_READ | libc::PROT_EXEC,
            libc::MAP_SHARED,
            KEYS,
            0
        ),
        "map-the-first-page" => attack!(
            libc::SYS_mmap,
            0,
            4096,
            libc::PROT_READ,
            PRIVATE | libc::MAP_FIXED,
            -1,
            0
        ),
        "make-memory-code" => attack!(
            libc::SYS_mprotect,
            &mut a,
            0,
            libc::PROT_READ | libc::PROT_EXEC
        ),
        "make-memory-code-by-key" => {
            attack!(libc::SYS_pkey_mprotect, &mut a, 0, libc::PROT_EXEC, -1)
        }
        "make-all-memory-code" => attack!(libc::SYS_personality, 0x040_0000),
        "remap-a-file" => attack!(libc::SYS_remap_file_pages, 0, 4096, 0, 0, 0),
        "change-the-descriptor-table" => attack!(libc::SYS_modify_ldt, 1, &mut a, 16),
        "catch-page-faults" => attack!(libc::SYS_userfaultfd, 0),
        // Processes.
        "fork" => attack!(libc::SYS_fork),
        "clone-a-process" => attack!(libc::SYS_clone, libc::SIGCHLD, 0),
        "clone-into-namespaces" => attack!(
            libc::SYS_clone,
            libc::SIGCHLD | libc::CLONE_NEWUSER | libc::CLONE_NEWPID,
            0
        ),
        "clone-a-thread-into-namespaces" => {
            attack!(libc::SYS_clone, THREAD | libc::CLONE_NEWNET, 0)
        }
        "clone-by-clone3" => attack!(libc::SYS_clone3, &mut a, 64),
        "take-a-user-namespace" => attack!(libc::SYS_unshare, libc::CLONE_NEWUSER),
        "take-a-mount-namespace" => attack!(libc::SYS_unshare, libc::CLONE_NEWNS),
        "enter-a-namespace" => attack!(libc::SYS_setns, RECORD, 0),
        "signal-everybody" => attack!(libc::SYS_kill, -1, libc::SIGKILL),
        "signal-another" => attack!(libc::SYS_kill, 2, libc::SIGKILL),
        "signal-a-thread-of-another" => attack!(libc::SYS_tgkill, 100, 100, libc::SIGKILL),
        "signal-a-thread" => attack!(libc::SYS_tkill, 100, libc::SIGKILL),
        "queue-a-signal" => attack!(libc::SYS_rt_sigqueueinfo, 2, libc::SIGKILL, &mut a),
        "take-a-handle-of-a-process" => attack!(libc::SYS_pidfd_open, 1, 0),
        "signal-by-handle" => attack!(libc::SYS_pidfd_send_signal, RECORD, libc::SIGKILL, 0, 0),
        "take-a-descriptor-of-another" => attack!(libc::SYS_pidfd_getfd, RECORD, 0, 0),
        "trace-another" => attack!(libc::SYS_ptrace, libc::PTRACE_ATTACH, 2, 0, 0),
        "be-traced" => attack!(libc::SYS_ptrace, libc::PTRACE_TRACEME, 0, 0, 0),
        "read-memory-of-another" => attack!(libc::SYS_process_vm_readv, 2, &mut a, 1, &mut b, 1, 0),
        "write-memory-of-another" => {
            attack!(libc::SYS_process_vm_writev, 2, &mut a, 1, &mut b, 1, 0)
        }
        "advise-memory-of-another" => attack!(libc::SYS_process_madvise, RECORD, &mut a, 1, 0, 0),
        "compare-with-another" => attack!(libc::SYS_kcmp, 1, 2, 0, 0, 0),
        "move-pages-of-another" => attack!(libc::SYS_move_pages, 2, 0, 0, 0, 0, 0),
        "be-dumped" => attack!(libc::SYS_prctl, libc::PR_SET_DUMPABLE, 1, 0, 0, 0),
        "allow-a-tracer" => attack!(libc::SYS_prctl, libc::PR_SET_PTRACER, -1, 0, 0, 0),
        "outlive-init" => attack!(libc::SYS_prctl, libc::PR_SET_PDEATHSIG, 0, 0, 0, 0),
        "adopt-orphans" => attack!(libc::SYS_prctl, libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0),
        "move-the-heap" => attack!(libc::SYS_prctl, libc::PR_SET_MM, 1, 0, 0, 0),
        "take-priority" => attack!(libc::SYS_setpriority, 0, 0, -20),
        "take-real-time" => attack!(libc::SYS_sched_setscheduler, 0, 1, &mut a),
        "take-a-processor" => attack!(libc::SYS_sched_setaffinity, 1, 8, &mut a),
        "take-the-disk" => attack!(libc::SYS_ioprio_set, 1, 0, 0x2000),
        "raise-a-limit" => attack!(libc::SYS_prlimit64, 0, 4, &mut a, 0),
        // Rights.
        "become-root" => attack!(libc::SYS_setuid, 0),
        "become-another-application" => attack!(libc::SYS_setresuid, 100_001, 100_001, 100_001),
        "become-roots-group" => attack!(libc::SYS_setgid, 0),
        "take-groups" => attack!(libc::SYS_setgroups, 1, &mut a),
        "take-capabilities" => attack!(libc::SYS_capset, &mut a, &mut b),
        "raise-a-capability" => attack!(
            libc::SYS_prctl,
            libc::PR_CAP_AMBIENT,
            libc::PR_CAP_AMBIENT_RAISE,
            21,
            0,
            0
        ),
        "unlock-securebits" => attack!(libc::SYS_prctl, libc::PR_SET_SECUREBITS, 0, 0, 0, 0),
        "keep-capabilities" => attack!(libc::SYS_prctl, libc::PR_SET_KEEPCAPS, 1, 0, 0, 0),
        "loosen-system-calls" => attack!(libc::SYS_prctl, libc::PR_SET_SECCOMP, 0, 0, 0, 0),
        "loosen-by-seccomp" => attack!(libc::SYS_seccomp, 0, 0, 0),
        // The kernel.
        "make-a-ring" => attack!(libc::SYS_io_uring_setup, 8, &mut a),
        "enter-a-ring" => attack!(libc::SYS_io_uring_enter, RECORD, 1, 0, 0, 0, 0),
        "make-an-asynchronous-context" => attack!(libc::SYS_io_setup, 8, &mut a),
        "load-a-filter-program" => attack!(libc::SYS_bpf, 5, &mut a, 64),
        "count-events" => attack!(libc::SYS_perf_event_open, &mut a, 0, -1, -1, 0),
        "add-a-key" => attack!(libc::SYS_add_key, c"user", c"name", &mut a, 1, -3),
        "ask-for-a-key" => attack!(libc::SYS_request_key, c"user", c"name", c"", -3),
        "manage-keys" => attack!(libc::SYS_keyctl, 0, -3, 1, 0, 0),
        "load-a-module" => attack!(libc::SYS_init_module, &mut a, 128, c""),
        "load-a-module-from-a-file" => attack!(libc::SYS_finit_module, KEYS, c"", 0),
        "load-a-kernel" => attack!(libc::SYS_kexec_load, 0, 0, 0, 0),
        "load-a-kernel-from-a-file" => attack!(libc::SYS_kexec_file_load, KEYS, KEYS, 0, c"", 0),
        "restart-the-machine" => attack!(
            libc::SYS_reboot,
            0xfee1_dead_u32,
            672_274_793,
            0x0123_4567,
            0
        ),
        "use-a-swap-file" => attack!(libc::SYS_swapon, c"/", 0),
        "open-ports-of-the-machine" => attack!(libc::SYS_iopl, 3),
        "open-a-port-of-the-machine" => attack!(libc::SYS_ioperm, 0, 8, 1),
        "read-the-kernel-log" => attack!(libc::SYS_syslog, 3, &mut a, 128),
        "silence-the-kernel-log" => attack!(libc::SYS_syslog, 6, 0, 0),
        "account-processes" => attack!(libc::SYS_acct, c"/file"),
        "hang-up-the-console" => attack!(libc::SYS_vhangup),
        "turn-the-clock" => attack!(libc::SYS_clock_settime, 0, &mut a),
        "turn-the-clock-the-old-way" => attack!(libc::SYS_settimeofday, &mut a, 0),
        "tune-the-clock" => attack!(libc::SYS_adjtimex, &mut a),
        "name-the-machine" => attack!(libc::SYS_sethostname, c"mine", 4),
        "name-the-domain" => attack!(libc::SYS_setdomainname, c"mine", 4),
        "type-into-the-terminal" => attack!(libc::SYS_ioctl, 0, libc::TIOCSTI as i64, &mut a),
        "take-the-terminal" => attack!(libc::SYS_ioctl, 0, libc::TIOCSCTTY as i64, 1),
        "ask-the-nsm-of-any-descriptor" => {
            attack!(libc::SYS_ioctl, CONTROL, 0xc020_0a00_u32, &mut a)
        }
        "make-another-domain" => attack!(libc::SYS_landlock_create_ruleset, 0, 0, 1),
        "call-by-another-number" => attack!(X32_GETPID),
        // The network.
        "make-a-vsock-socket" => attack!(libc::SYS_socket, libc::AF_VSOCK, libc::SOCK_STREAM, 0),
        "make-a-vsock-datagram-socket" => {
            attack!(libc::SYS_socket, libc::AF_VSOCK, libc::SOCK_DGRAM, 0)
        }
        "make-an-internet-socket" => attack!(libc::SYS_socket, libc::AF_INET, libc::SOCK_STREAM, 0),
        "make-an-internet-6-socket" => {
            attack!(libc::SYS_socket, libc::AF_INET6, libc::SOCK_STREAM, 0)
        }
        "make-a-raw-socket" => attack!(libc::SYS_socket, libc::AF_INET, libc::SOCK_RAW, 1),
        "make-a-packet-socket" => attack!(libc::SYS_socket, libc::AF_PACKET, libc::SOCK_RAW, 0),
        "make-a-netlink-socket" => attack!(libc::SYS_socket, libc::AF_NETLINK, libc::SOCK_RAW, 0),
        "make-a-cipher-socket" => attack!(libc::SYS_socket, libc::AF_ALG, libc::SOCK_SEQPACKET, 0),
        "make-a-unix-socket" => attack!(libc::SYS_socket, libc::AF_UNIX, libc::SOCK_STREAM, 0),
        "make-a-vsock-pair" => attack!(
            libc::SYS_socketpair,
            libc::AF_VSOCK,
            libc::SOCK_STREAM,
            0,
            &mut a
        ),
        "bind-a-socket" => attack!(libc::SYS_bind, CONTROL, &mut a, 16),
        "listen-anew" => attack!(libc::SYS_listen, LISTENER, 4096),
        "connect-a-listener-to-the-parent" => attack!(libc::SYS_connect, LISTENER, &mut a, 16),
        "enlarge-a-vsock-buffer" => {
            attack!(libc::SYS_setsockopt, LISTENER, libc::AF_VSOCK, 2, &mut a, 8)
        }
        "attach-a-filter-program" => attack!(
            libc::SYS_setsockopt,
            LISTENER,
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            &mut a,
            16
        ),
        "force-a-buffer" => attack!(
            libc::SYS_setsockopt,
            LISTENER,
            libc::SOL_SOCKET,
            libc::SO_RCVBUFFORCE,
            &mut a,
            4
        ),
        "list-interfaces" => attack!(libc::SYS_ioctl, LISTENER, libc::SIOCGIFCONF as i64, &mut a),
        // Memory and messages shared with others.
        "share-memory" => attack!(libc::SYS_shmget, 1, 4096, 0o1600),
        "share-semaphores" => attack!(libc::SYS_semget, 1, 1, 0o1600),
        "share-messages" => attack!(libc::SYS_msgget, 1, 0o1600),
        "open-a-message-queue" => attack!(libc::SYS_mq_open, c"queue", libc::O_CREAT, 0o600, 0),
        // Floods.
        "make-a-timer" => attack!(libc::SYS_timer_create, 0, 0, &mut a),
        "make-a-timer-file" => attack!(libc::SYS_timerfd_create, 0, 0),
        "set-an-alarm" => attack!(libc::SYS_alarm, 1),
        "set-an-interval" => attack!(libc::SYS_setitimer, 0, &mut a, 0),
        "fork-bomb" => floods::fork_bomb(),
        "thread-bomb" => floods::thread_bomb(),
        "exhaust-descriptors" => floods::exhaust_descriptors(),
        "exhaust-memory" => floods::exhaust_memory(),
        "find-a-device" => floods::find_a_device(),
        "read-environment" => environment(),
        "find-other-processes" => call(libc::SYS_getpid, &mut []),
        "find-the-parent" => call(libc::SYS_getppid, &mut []),
        "leave-the-session" => call(libc::SYS_setsid, &mut []),
        "dump-core" => floods::core_limit(),
        "exhaust-memory-of-the-kernel" => floods::exhaust_sockets(),
        "burn-processors" => floods::burn_processors(),
        "abort" => std::process::abort(),
        _ => return None,
    })
}

/// Bytes of the environment, as NAME=VALUE without what is between.
fn environment() -> Result<i64, Errno> {
    let bytes = std::env::vars_os().map(|(name, value)| name.len() + value.len() + 1);
    i64::try_from(bytes.sum::<usize>()).map_err(|_| Errno::EOVERFLOW)
}
