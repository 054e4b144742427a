//! The dashboard: pages over two traits, with live updates.
//!
//! The collector implements [`Board`], the demo also [`Lab`]; [`router`] turns them into an [`axum::Router`].
//! Every page can be read without JavaScript. With it, one event stream keeps the page current: the server
//! renders the same fragments that the page is made of and sends those that changed, so there is one template
//! for both ways.

mod assets;
mod board;
mod demo;
mod format;
mod fragments;
mod headers;
mod html;
mod lab;
mod live;
mod pages;
mod site;
mod stream;

pub use board::{Board, BoardError, BoardFuture};
pub use lab::{Lab, Panel, PanelRegion, PanelUsers};
pub use site::{Site, router};
