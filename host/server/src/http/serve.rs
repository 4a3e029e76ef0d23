//! Connections: one task accepts them, and each is served by one of as many threads as there are
//! cores, from its first byte to its last.
//!
//! A request then wakes no other thread than its own, which costs more than most of what is done
//! for it. The price is that nobody takes over from a thread that is busy: what takes long, or
//! waits for a disk, belongs on a thread of its own (`spawn_blocking`).

use std::convert::Infallible;
use std::io;
use std::num::NonZero;
use std::sync::Arc;
use std::thread::available_parallelism;

use axum::body::Body;
use axum::http::Request;
use axum::serve::Listener;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

use super::Routes;
use super::observe::observe;

/// A thread that serves connections.
struct Worker {
    connections: UnboundedSender<Connection>,
    /// Every connection of its has a copy.
    load: Arc<()>,
    /// Resolves when the last connection has ended.
    ended: oneshot::Receiver<()>,
}

/// A connection on its way from the thread that accepted it.
struct Connection {
    stream: std::net::TcpStream,
    load: Arc<()>,
}

/// Answers what comes in until `stop` resolves, and then what is under way.
pub async fn serve(
    mut listener: TcpListener,
    routes: Routes,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    let threads = available_parallelism().map_or(1, NonZero::get);
    let workers: Vec<_> =
        (0..threads).map(|_| Worker::start(routes.clone())).collect::<io::Result<_>>()?;
    let mut stop = std::pin::pin!(stop);
    loop {
        let stream = tokio::select! {
            (stream, _) = Listener::accept(&mut listener) => stream,
            () = &mut stop => break,
        };
        let least_loaded = workers.iter().min_by_key(|worker| Arc::strong_count(&worker.load));
        if let Some(Err(error)) = least_loaded.map(|worker| worker.take(stream)) {
            tracing::debug!(%error, "a connection was lost before it was served");
        }
    }
    drop(listener);
    let ended: Vec<_> = workers.into_iter().map(|worker| worker.ended).collect();
    for ended in ended {
        // A sender that is gone means the same as one that says so.
        let _ = ended.await;
    }
    Ok(())
}

impl Worker {
    fn start(routes: Routes) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            // Whoever is about to send does so, and all that came meanwhile is served in one go: on
            // a busy machine an eighth more requests, on an idle one nothing lost.
            .on_thread_park(std::thread::yield_now)
            .build()?;
        let (connections, incoming) = unbounded_channel();
        let (end, ended) = oneshot::channel();
        std::thread::Builder::new().name("http".into()).spawn(move || {
            runtime.block_on(work(incoming, routes));
            // Whoever started it may be gone.
            let _ = end.send(());
        })?;
        Ok(Self { connections, load: Arc::default(), ended })
    }

    fn take(&self, stream: TcpStream) -> io::Result<()> {
        // Without it, small answers wait for the client's acknowledgements.
        stream.set_nodelay(true)?;
        let connection = Connection { stream: stream.into_std()?, load: self.load.clone() };
        self.connections.send(connection).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

/// Serves all connections that come, until no more can come and the last has ended.
async fn work(mut incoming: UnboundedReceiver<Connection>, routes: Routes) {
    let http = Builder::new(TokioExecutor::new());
    let ending = GracefulShutdown::new();
    while let Some(Connection { stream, load }) = incoming.recv().await {
        let stream = match TcpStream::from_std(stream) {
            Ok(stream) => TokioIo::new(stream),
            Err(error) => {
                tracing::debug!(%error, "a connection was lost before it was served");
                continue;
            }
        };
        let routes = routes.clone();
        let answer = service_fn(move |request: Request<Incoming>| {
            let answer = observe(request.map(Body::new), routes.clone());
            async { Ok::<_, Infallible>(answer.await) }
        });
        let connection = ending.watch(http.serve_connection(stream, answer).into_owned());
        tokio::spawn(async move {
            let _load = load;
            if let Err(error) = connection.await {
                // Whoever hung up need not be told.
                tracing::debug!(error, "a connection broke off");
            }
        });
    }
    ending.shutdown().await;
}
