//! A small HTTP server on loopback for the demonstrations: something to crawl, and something to download.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use lockwork::{Shutdown, ThreadPool, Worker};

/// What was asked for.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) target: String,
    fields: HashMap<String, String>,
}

impl Request {
    /// A header field, by its name in lower case.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str)
    }
}

/// How long to wait for a client that says nothing, or takes nothing.
const PATIENCE: Duration = Duration::from_secs(10);

/// A running server. Dropping it answers what has been asked, and ends it.
#[derive(Debug)]
pub(crate) struct Server {
    address: SocketAddr,
    acceptor: Option<Worker>,
}

impl Server {
    /// Serves on a port of 127.0.0.1, 0 for a free one, by as many threads as there may be requests at once.
    /// `handler` writes the answer; what it writes, and whether it ends it in order, is its own affair.
    pub(crate) fn start<H>(port: u16, threads: usize, handler: H) -> io::Result<Self>
    where
        H: Fn(&Request, &mut TcpStream) -> io::Result<()> + Send + Sync + 'static,
    {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        let address = listener.local_addr()?;
        let pool = ThreadPool::builder().threads(threads).name("serve").queue_capacity(1024).try_build()?;
        let handler = Arc::new(handler);
        let acceptor = Worker::try_spawn("accept", move |stop| {
            for stream in listener.incoming() {
                if stop.is_stopped() {
                    break;
                }
                let Ok(mut stream) = stream else {
                    // Out of file descriptors, most likely. Others will be closed soon.
                    stop.wait_for(Duration::from_millis(10));
                    continue;
                };
                let handler = Arc::clone(&handler);
                let answer = move || {
                    // A client that goes away is none of our business.
                    let _ = receive(&mut stream).and_then(|request| handler(&request, &mut stream));
                };
                if pool.submit(answer).is_err() {
                    break;
                }
            }
            pool.shutdown(Shutdown::Drain);
            pool.join();
        })?;
        Ok(Self { address, acceptor: Some(acceptor) })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let Some(acceptor) = self.acceptor.take() else { return };
        acceptor.stop();
        // It sleeps in `accept`, where no event reaches it: a connection of our own does.
        while acceptor.is_alive() {
            if TcpStream::connect_timeout(&self.address, PATIENCE).is_ok() {
                break;
            }
            acceptor.join_for(Duration::from_millis(10));
        }
        drop(acceptor);
    }
}

fn receive(stream: &mut TcpStream) -> io::Result<Request> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    let mut bytes = Vec::new();
    loop {
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut request = httparse::Request::new(&mut headers);
        let parsed =
            request.parse(&bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        if parsed.is_complete() {
            let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
            let fields = request.headers.iter();
            return Ok(Request {
                target: request.path.unwrap_or_default().to_owned(),
                fields: fields.map(|field| (field.name.to_ascii_lowercase(), text(field.value))).collect(),
            });
        }
        let mut chunk = [0; 4096];
        match stream.read(&mut chunk)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            _ if bytes.len() > 64 * 1024 => return Err(io::ErrorKind::InvalidData.into()),
            n => bytes.extend_from_slice(&chunk[..n]),
        }
    }
}

/// Writes an answer's head. `fields` are whole lines without their ends.
pub(crate) fn head(stream: &mut TcpStream, status: &str, len: usize, fields: &[&str]) -> io::Result<()> {
    let mut text = format!("HTTP/1.1 {status}\r\nContent-Length: {len}\r\nConnection: close\r\n");
    for field in fields {
        text.push_str(field);
        text.push_str("\r\n");
    }
    text.push_str("\r\n");
    stream.write_all(text.as_bytes())
}
