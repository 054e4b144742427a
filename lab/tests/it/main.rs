//! The lab's world from outside: real sockets, real requests.

mod common;
mod entrance;
mod shop;
mod tcp_links;
mod udp_links;
mod users;
mod wan;
mod world;
