//! The one writer: collects the writes that wait into a group, commits them in one transaction, answers each only then.
//!
//! ```text
//! BEGIN IMMEDIATE → SAVEPOINT, write, RELEASE │ SAVEPOINT, write, ROLLBACK TO │ … → COMMIT (one fsync) → answers
//! ```
//!
//! A write that fails by itself (a conflict, a stale lease) is undone to its savepoint and does not fail the others; one that
//! is alone in its group needs none. SQLite keeps what a savepoint may have to undo page by page: a group of writes that can be
//! done again goes without them, and is done again with them in the rare case that one fails.
//!
//! With SQLite the writer is a thread of its own, which does the database's work itself: a group costs one crossing to it
//! and one back, however many statements it is made of.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::sync::{mpsc, oneshot};

use crate::{
    StoreConfig,
    connect::Connector,
    error::StoreError,
    sql::{Conn, Dialect},
};

/// A group may take the time limit twice, to begin and to be written, and another may be before it. SQLite on a disk that
/// hangs cannot be given up by its own thread, only by those who wait for it.
const PATIENCE: u32 = 4;

/// For so long does a write that is in no hurry wait for others. A crash in that time loses it: longer would be seen.
const COMPANY: Duration = Duration::from_millis(25);

type Answer<T> = oneshot::Receiver<Result<T, StoreError>>;

/// What a write does with the connection.
pub(crate) type Doing<'c, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'c>>;

/// A write of any answer, as the queue carries it.
trait Write: Send {
    fn run<'c>(&'c mut self, conn: &'c mut Conn) -> Doing<'c, ()>;
    /// Whether it can be run once more after it was undone.
    fn is_repeatable(&self) -> bool;
    /// `committed` is the group's fate; a write that failed by itself answers with its own error.
    fn answer(self: Box<Self>, committed: Result<(), StoreError>);
}

struct Pending<T, F> {
    work: F,
    outcome: Option<Result<T, StoreError>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

/// What a write does, once or again.
trait Work<T>: Send {
    /// None when it is spent.
    fn begin<'c>(&mut self, conn: &'c mut Conn) -> Option<Doing<'c, T>>;
    const REPEATABLE: bool;
}

struct Once<F>(Option<F>);
struct Again<F>(F);

impl<T, F> Work<T> for Once<F>
where
    F: for<'c> FnOnce(&'c mut Conn) -> Doing<'c, T> + Send,
{
    const REPEATABLE: bool = false;

    fn begin<'c>(&mut self, conn: &'c mut Conn) -> Option<Doing<'c, T>> {
        Some((self.0.take()?)(conn))
    }
}

impl<T, F> Work<T> for Again<F>
where
    F: for<'c> FnMut(&'c mut Conn) -> Doing<'c, T> + Send,
{
    const REPEATABLE: bool = true;

    fn begin<'c>(&mut self, conn: &'c mut Conn) -> Option<Doing<'c, T>> {
        Some((self.0)(conn))
    }
}

impl<T, W> Write for Pending<T, W>
where
    T: Send,
    W: Work<T>,
{
    fn run<'c>(&'c mut self, conn: &'c mut Conn) -> Doing<'c, ()> {
        Box::pin(async move {
            let Some(doing) = self.work.begin(conn) else { return Ok(()) };
            match doing.await {
                Ok(value) => {
                    self.outcome = Some(Ok(value));
                    Ok(())
                }
                Err(error) => {
                    self.outcome = Some(Err(error.clone()));
                    Err(error)
                }
            }
        })
    }

    fn is_repeatable(&self) -> bool {
        W::REPEATABLE
    }

    fn answer(self: Box<Self>, committed: Result<(), StoreError>) {
        let answer = match (self.outcome, committed) {
            (Some(Err(own)), _) => Err(own),
            (_, Err(group)) => Err(group),
            (Some(outcome), Ok(())) => outcome,
            (None, Ok(())) => Err(StoreError::Closed),
        };
        // Whoever asked may have gone away; the write stands all the same.
        let _ = self.reply.send(answer);
    }
}

/// How soon a write must be on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Haste {
    /// Somebody waits for it before anything goes on.
    Now,
    /// What it is about goes on meanwhile: it may wait for others, so that they share a transaction and its sync.
    Soon,
}

enum Job {
    Write(Box<dyn Write>, Haste),
    Close(oneshot::Sender<()>),
}

/// What the writer has done so far; read by metrics.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) groups: AtomicU64,
    pub(crate) committed: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) disk_full: AtomicBool,
}

/// The writer's queue.
#[derive(Debug, Clone)]
pub(crate) struct WriterHandle {
    queue: mpsc::Sender<Job>,
    pub(crate) counters: Arc<Counters>,
    /// So long at most does anybody wait for an answer.
    patience: Duration,
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Job::Write(..) => "Write",
            Job::Close(_) => "Close",
        })
    }
}

impl WriterHandle {
    /// Queues the work and waits until it is on disk.
    ///
    /// # Errors
    /// [`StoreError::Full`] at once when the queue is at its limit.
    pub(crate) async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut Conn) -> Doing<'c, T> + Send + 'static,
    {
        self.answered(self.queued(Once(Some(work)), Haste::Now)).await
    }

    /// The same for work that can be done again.
    pub(crate) async fn write_again<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'c> FnMut(&'c mut Conn) -> Doing<'c, T> + Send + 'static,
    {
        self.answered(self.queued(Again(work), Haste::Now)).await
    }

    /// The same for what nothing waits for: it joins the next group, or after [`COMPANY`] makes one of its own. It has its
    /// place in the order of all writes from the moment of this call, before the answer is waited for.
    pub(crate) fn write_soon<T, F>(&self, work: F) -> impl Future<Output = Result<T, StoreError>> + use<T, F>
    where
        T: Send + 'static,
        F: for<'c> FnMut(&'c mut Conn) -> Doing<'c, T> + Send + 'static,
    {
        let (queued, writer) = (self.queued(Again(work), Haste::Soon), self.clone());
        async move { writer.answered(queued).await }
    }

    fn queued<T, W>(&self, work: W, haste: Haste) -> Result<Answer<T>, StoreError>
    where
        T: Send + 'static,
        W: Work<T> + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let pending = Pending { work, outcome: None, reply };
        self.queue.try_send(Job::Write(Box::new(pending), haste)).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => StoreError::Full,
            mpsc::error::TrySendError::Closed(_) => StoreError::Closed,
        })?;
        Ok(answer)
    }

    async fn answered<T>(&self, queued: Result<Answer<T>, StoreError>) -> Result<T, StoreError> {
        match tokio::time::timeout(self.patience, queued?).await {
            Ok(answered) => answered.unwrap_or(Err(StoreError::Closed)),
            Err(_) => Err(late()),
        }
    }

    /// How many writes wait.
    pub(crate) fn waiting(&self) -> usize {
        self.queue.max_capacity() - self.queue.capacity()
    }

    /// Lets what waits be written, then closes the connection; later writes get [`StoreError::Closed`].
    pub(crate) async fn close(&self) {
        let (done, closed) = oneshot::channel();
        if self.queue.send(Job::Close(done)).await.is_ok() {
            // An error means the writer is gone already.
            let _ = closed.await;
        }
    }
}

/// Starts the writer on a connection that is open and migrated.
///
/// # Errors
/// [`StoreError::Io`] when there can be no thread for it.
pub(crate) fn start(conn: Conn, connector: Connector, config: &StoreConfig) -> Result<WriterHandle, StoreError> {
    let (queue, jobs) = mpsc::channel(config.queue_limit.max(1));
    let counters = Arc::new(Counters::default());
    let (dialect, group_limit) = (conn.dialect(), config.group_limit.max(1));
    let writer =
        Writer { conn: Some(conn), connector, counters: counters.clone(), timeout: config.write_timeout, dialect };
    match dialect {
        Dialect::Postgres => drop(tokio::spawn(writer.work(jobs, group_limit))),
        Dialect::Sqlite => {
            // With a clock of its own: what it waits for by time wakes nobody else.
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
            let thread = std::thread::Builder::new().name("ledger".to_owned());
            thread.spawn(move || runtime.block_on(writer.work(jobs, group_limit)))?;
        }
    }
    Ok(WriterHandle { queue, counters, patience: config.write_timeout * PATIENCE })
}

fn late() -> StoreError {
    StoreError::Io(Arc::from("the transaction took too long"))
}

struct Writer {
    /// None after an error that put the connection in doubt; the next group opens a new one.
    conn: Option<Conn>,
    connector: Connector,
    counters: Arc<Counters>,
    timeout: Duration,
    dialect: Dialect,
}

impl Writer {
    async fn work(mut self, mut jobs: mpsc::Receiver<Job>, group_limit: usize) {
        let mut batch = Vec::with_capacity(group_limit);
        let mut closing = None;
        while closing.is_none() && jobs.recv_many(&mut batch, group_limit).await > 0 {
            company(&mut jobs, &mut batch, group_limit).await;
            let mut group = Vec::with_capacity(batch.len());
            for job in batch.drain(..) {
                match job {
                    Job::Write(write, _) => group.push(write),
                    Job::Close(done) => closing = Some(done),
                }
            }
            if closing.is_some() {
                jobs.close();
                while let Some(job) = jobs.recv().await {
                    if let Job::Write(write, _) = job {
                        group.push(write);
                    }
                }
            }
            if !group.is_empty() {
                self.group(group).await;
            }
        }
        if let Some(conn) = self.conn.take()
            && let Err(error) = conn.close().await
        {
            tracing::warn!(%error, "closing the ledger's writer");
        }
        if let Some(done) = closing {
            // Whoever asked to close may not wait for it.
            let _ = done.send(());
        }
    }

    async fn group(&mut self, mut group: Vec<Box<dyn Write>>) {
        let fate = self.transaction(&mut group).await;
        self.account(&fate, group.len() as u64);
        for write in group {
            write.answer(fate.as_ref().map(drop).map_err(Clone::clone));
        }
    }

    fn account(&self, fate: &Result<u64, StoreError>, size: u64) {
        self.counters.groups.fetch_add(1, Relaxed);
        match fate {
            Ok(kept) => {
                self.counters.committed.fetch_add(*kept, Relaxed);
                self.counters.refused.fetch_add(size - kept, Relaxed);
            }
            Err(_) => {
                self.counters.failed.fetch_add(size, Relaxed);
            }
        }
        let full = matches!(fate, Err(StoreError::DiskFull));
        if self.counters.disk_full.swap(full, Relaxed) != full {
            match full {
                true => tracing::error!("no space left for the ledger: nothing new is acknowledged"),
                false => tracing::info!("the ledger has space again"),
            }
        }
    }

    /// Ok with the number of writes kept; Err when the whole group is lost.
    async fn transaction(&mut self, group: &mut [Box<dyn Write>]) -> Result<u64, StoreError> {
        let way = Way::of(group, self.dialect);
        let mut conn = tokio::time::timeout(self.timeout, self.begun(way)).await.map_err(|_| late())??;
        // Given up halfway, the connection is dropped with whatever it was doing.
        let fate = tokio::time::timeout(self.timeout, fill(&mut conn, group, way)).await.map_err(|_| late())?;
        match &fate {
            Ok(_) => self.conn = Some(conn),
            Err(error) if error.taints_connection() => {
                tracing::warn!(%error, "the ledger's connection is in doubt and is opened anew");
            }
            Err(_) => {
                // SQLite undoes the transaction by itself on some errors; then there is nothing to roll back.
                let undone = conn.script("ROLLBACK").await;
                if undone.is_ok() || conn.dialect() == Dialect::Sqlite {
                    self.conn = Some(conn);
                }
            }
        }
        fate
    }

    /// A connection with a transaction begun. A PostgreSQL that was restarted shows only now: nothing was asked of it yet, so
    /// nothing is in doubt and a second connection is tried at once.
    async fn begun(&mut self, way: Way) -> Result<Conn, StoreError> {
        if let Some(mut conn) = self.conn.take() {
            match begin(&mut conn, way).await {
                Ok(()) => return Ok(conn),
                Err(error) if conn.dialect() == Dialect::Sqlite => return Err(error.into()),
                Err(error) => tracing::warn!(%error, "the ledger's connection broke and is opened anew"),
            }
        }
        let mut conn = self.connector.writer().await?;
        begin(&mut conn, way).await?;
        Ok(conn)
    }
}

/// While nothing in the batch is in a hurry, waits a moment for more; whatever else is there comes along.
async fn company(jobs: &mut mpsc::Receiver<Job>, batch: &mut Vec<Job>, limit: usize) {
    let patient = |job: &Job| matches!(job, Job::Write(_, Haste::Soon));
    if !batch.iter().all(patient) {
        return;
    }
    let until = tokio::time::Instant::now() + COMPANY;
    while batch.len() < limit
        && let Ok(Some(job)) = tokio::time::timeout_at(until, jobs.recv()).await
    {
        let goes = !patient(&job);
        batch.push(job);
        if goes {
            break;
        }
    }
    while batch.len() < limit
        && let Ok(job) = jobs.try_recv()
    {
        batch.push(job);
    }
}

/// How a group is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Alone,
    /// Together, without savepoints.
    Hopefully,
    /// Each behind a savepoint.
    Carefully,
}

impl Way {
    fn of(group: &[Box<dyn Write>], dialect: Dialect) -> Self {
        match group {
            [_] => Self::Alone,
            // PostgreSQL's savepoints cost no pages, and what fails in a transaction ends it.
            group if dialect == Dialect::Sqlite && group.iter().all(|write| write.is_repeatable()) => Self::Hopefully,
            _ => Self::Carefully,
        }
    }
}

/// Several writes get the savepoint of the first with it.
async fn begin(conn: &mut Conn, way: Way) -> Result<(), sqlx::Error> {
    match way {
        Way::Alone | Way::Hopefully => conn.begin().await,
        Way::Carefully => conn.begin_group().await,
    }
}

/// Runs each write in the transaction begun and commits what stands.
async fn fill(conn: &mut Conn, group: &mut [Box<dyn Write>], way: Way) -> Result<u64, StoreError> {
    match (way, &mut *group) {
        (Way::Alone, [write]) => alone(conn, write.as_mut()).await,
        (Way::Hopefully, group) => hopefully(conn, group).await,
        (_, group) => carefully(conn, group).await,
    }
}

/// All of them or, when one fails by itself, once more and each by itself.
async fn hopefully(conn: &mut Conn, group: &mut [Box<dyn Write>]) -> Result<u64, StoreError> {
    for write in group.iter_mut() {
        match write.run(conn).await {
            Ok(()) => {}
            Err(full @ StoreError::DiskFull) => return Err(full),
            Err(_) => {
                // Fails when SQLite has undone it by itself, as it does for errors that are everybody's.
                conn.script("ROLLBACK").await?;
                conn.begin_group().await?;
                return carefully(conn, group).await;
            }
        }
    }
    conn.commit().await?;
    Ok(group.len() as u64)
}

async fn carefully(conn: &mut Conn, group: &mut [Box<dyn Write>]) -> Result<u64, StoreError> {
    let mut kept = 0;
    for (place, write) in group.iter_mut().enumerate() {
        if place > 0 {
            conn.script("RELEASE SAVEPOINT one; SAVEPOINT one").await?;
        }
        match write.run(conn).await {
            Ok(()) => kept += 1,
            // The disk is as full for the others; failing them together is what they would get anyway.
            Err(full @ StoreError::DiskFull) => return Err(full),
            Err(_) => conn.script("ROLLBACK TO SAVEPOINT one").await?,
        }
    }
    conn.script("RELEASE SAVEPOINT one; COMMIT").await?;
    Ok(kept)
}

/// A write with no other in its transaction: what undoes it is the transaction's end.
async fn alone(conn: &mut Conn, write: &mut dyn Write) -> Result<u64, StoreError> {
    match write.run(conn).await {
        Ok(()) => {
            conn.commit().await?;
            Ok(1)
        }
        Err(full @ StoreError::DiskFull) => Err(full),
        Err(_) => {
            conn.script("ROLLBACK").await?;
            Ok(0)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc as channel, time::Instant};

    use super::*;
    use crate::{Store, StoreError};

    /// A group may take so long; whoever waits, four times that.
    const GROUP: Duration = Duration::from_millis(100);

    async fn hanging() -> (tempfile::TempDir, Store, channel::Sender<()>) {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("ledger.sqlite").display());
        let config = StoreConfig { write_timeout: GROUP, queue_limit: 8, ..StoreConfig::default() };
        let store = Store::open(&url, config).await.unwrap();
        let (release, gate) = channel::channel::<()>();
        let begun = Arc::new(tokio::sync::Notify::new());
        let (writer, told) = (store.writer.clone(), Arc::clone(&begun));
        tokio::spawn(async move {
            writer
                .write(move |_| {
                    Box::pin(async move {
                        told.notify_one();
                        // As a write to a disk that does not come back: the thread is in it.
                        let _ = gate.recv();
                        Ok(())
                    })
                })
                .await
        });
        begun.notified().await;
        (folder, store, release)
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_disk_that_hangs_keeps_nobody_waiting_and_what_waited_is_written_once() {
        let (_folder, store, release) = hanging().await;
        let asked = Instant::now();
        let mut waiting = Vec::new();
        for number in 0..8 {
            let store = store.clone();
            waiting.push(tokio::spawn(async move { store.save_setting(None, &format!("key {number}"), "x").await }));
        }
        for answer in waiting {
            assert!(matches!(answer.await.unwrap(), Err(StoreError::Io(_))), "nobody is told that it is on disk");
        }
        assert!(asked.elapsed() < GROUP * PATIENCE * 4, "{:?}", asked.elapsed());
        // The queue is full of what nobody waits for any more: more is refused at once.
        let asked = Instant::now();
        assert_eq!(store.save_setting(None, "more", "x").await, Err(StoreError::Full));
        assert!(asked.elapsed() < GROUP);
        // What is read does not wait for the writer.
        assert_eq!(store.setting(None, "key 0").await, Ok(None));
        release.send(()).unwrap();
        // The disk is back: what waited is there, and new writes follow it.
        let mut last = Err(StoreError::Full);
        for _ in 0..100 {
            last = store.save_setting(None, "key 7", "newer").await;
            if last.is_ok() {
                break;
            }
            tokio::time::sleep(GROUP / 10).await;
        }
        assert_eq!(last, Ok(()));
        for number in 0..7 {
            assert_eq!(store.setting(None, &format!("key {number}")).await, Ok(Some("x".to_owned())));
        }
        assert_eq!(store.setting(None, "key 7").await, Ok(Some("newer".to_owned())), "in the order of asking");
        assert_eq!(store.setting(None, "more").await, Ok(None));
        assert_eq!(store.stats().waiting, 0);
    }
}
