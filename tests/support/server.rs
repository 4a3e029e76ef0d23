//! A running service.

use std::io::{BufRead, BufReader, Read};
use std::ops::Deref;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, Weak, mpsc};
use std::thread;

use super::{Client, Home, PATIENCE, compiled, eventually, signal, tollgate};

/// When a service begins unless a test says otherwise: no window turns within the next minutes,
/// and all shipped prices hold.
pub const CLOCK_START: &str = "2026-08-10T12:00:00Z";

/// Ends with its value, as after a power cut.
pub struct Server {
    pub home: Arc<Home>,
    client: Client,
    child: Child,
    log: Arc<Mutex<String>>,
}

/// A service that tests share which do not touch its policies; each keeps to subjects of its own.
pub async fn shared() -> Arc<Server> {
    // Weak, since a static is never dropped and would leave the process behind.
    static SHARED: tokio::sync::Mutex<Weak<Server>> = tokio::sync::Mutex::const_new(Weak::new());
    let mut shared = SHARED.lock().await;
    if let Some(server) = shared.upgrade() {
        return server;
    }
    let server = Arc::new(Server::start(&Home::new()).await);
    *shared = Arc::downgrade(&server);
    server
}

impl Server {
    /// Starts the service in its home and waits until it is ready.
    pub async fn start(home: &Arc<Home>) -> Self {
        Self::start_at(home, CLOCK_START).await
    }

    /// The same, as if it were another time.
    pub async fn start_at(home: &Arc<Home>, time: &str) -> Self {
        Self::ready(home, Self::command(home, time)).await
    }

    /// The same with a command that starts the service in its own way.
    pub async fn ready(home: &Arc<Home>, command: Command) -> Self {
        let server = Self::spawn(home, command);
        eventually("the service is ready", async || {
            (server.get("/readyz").await.status == 200).then_some(())
        })
        .await;
        compiled::keep(home);
        server
    }

    /// Starts the service in its home and waits until it listens, ready or not.
    pub fn launch(home: &Arc<Home>, time: &str) -> Self {
        Self::spawn(home, Self::command(home, time))
    }

    /// The same with a command that starts the service in its own way.
    pub fn spawn(home: &Arc<Home>, mut command: Command) -> Self {
        compiled::lend(home);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let (listening, url) = mpsc::channel();
        follow(child.stderr.take().unwrap(), &log, |_| {});
        follow(child.stdout.take().unwrap(), &log, move |line| {
            if let Some(url) = line.strip_prefix("tollgate listening on ") {
                // Nobody waits for it any more once the test has given up.
                let _ = listening.send(url.to_owned());
            }
        });
        let Ok(url) = url.recv_timeout(PATIENCE) else {
            let _ = child.kill();
            panic!("the service does not listen; its log:\n{}", log.lock().unwrap());
        };
        Self { home: home.clone(), client: Client::new(url), child, log }
    }

    /// The command that starts the service in its home.
    pub fn command(home: &Home, time: &str) -> Command {
        let mut command = tollgate();
        command.args(["serve", "--listen", "127.0.0.1:0", "--clock-start", time]);
        command.current_dir(home.path());
        command
    }

    /// A client of its own, for a task.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// All that the service has printed so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Ends the service without a warning, and waits until it is gone.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks the service to end.
    pub fn terminate(&self) {
        signal(&self.child, "TERM");
    }

    /// Waits for a service that ends with this code, and returns all that it has printed.
    pub async fn log_at_end(mut self, code: i32) -> String {
        let ended = eventually("the service ends", async || self.child.try_wait().unwrap()).await;
        assert_eq!(ended.code(), Some(code), "{}", self.log());
        let said = |log: &String| log.lines().any(|line| line.starts_with("tollgate: "));
        eventually("its last word is read", async || Some(self.log()).filter(said)).await
    }

    /// Waits for the end of a service that was asked to end.
    pub async fn ended(mut self) -> ExitStatus {
        eventually("the service ends", async || self.child.try_wait().unwrap()).await
    }
}

impl Deref for Server {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended before.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("the service's log:\n{}", self.log());
        }
    }
}

/// Copies what a process prints to the log, line by line, for as long as it runs.
fn follow(
    output: impl Read + Send + 'static,
    log: &Arc<Mutex<String>>,
    each: impl Fn(&str) + Send + 'static,
) {
    let log = log.clone();
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            log.lock().unwrap().push_str(&format!("{line}\n"));
            each(&line);
        }
    });
}
