#!/usr/bin/perl
# SPDX-License-Identifier: MIT
# features - what perl asks of its system; says the same on any Linux.
use strict;
use warnings;
use threads;
use threads::shared;
use Errno;
use Fcntl qw(:flock SEEK_SET);
use File::Temp;
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use IPC::Open3;
use IPC::SysV qw(IPC_PRIVATE IPC_CREAT IPC_RMID);
use List::Util qw(sum);
use POSIX qw(:sys_wait_h :signal_h);
use Socket;
use Time::HiRes qw(alarm sleep time);

$| = 1;
my @pids = map { my $n = $_; my $pid = fork; exit $n unless $pid; $pid } 1 .. 20;
print "children ", sum(map { waitpid($_, 0); $? >> 8 } @pids), "\n";

my $total : shared = 0;
$_->join for map { threads->create(sub { for (1 .. 1000) { lock $total; $total++ } }) } 1 .. 8;
print "threads $total\n";

my $pid = open3(my $in, my $out, undef, qw(sort -n));
print $in "$_\n" for reverse 1 .. 5000;
close $in;
my @sorted = <$out>;
waitpid $pid, 0;
print "sorted ", scalar(@sorted), " $sorted[0]";

my $hits = 0;
{
	local $SIG{ALRM} = sub { $hits++ };
	for (1 .. 5) { alarm 0.01; sleep 1 }
}
print "alarms $hits\n";
local $SIG{USR1} = sub { print "signal\n" };
kill USR1 => $$;
my $new = POSIX::SigSet->new(SIGUSR1);
sigprocmask(SIG_BLOCK, $new);
kill USR1 => $$;
print "blocked\n";
sigprocmask(SIG_UNBLOCK, $new);

for my $pair ([IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1')], [IO::Socket::UNIX->new(Listen => 5, Local => "/tmp/features.$$")]) {
	my $server = $pair->[0];
	my $child = fork;
	unless ($child) {
		my $peer = $server->accept;
		while (<$peer>) { print $peer uc }
		exit 0;
	}
	my $client = $server->isa('IO::Socket::INET') ? IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $server->sockport) : IO::Socket::UNIX->new(Peer => "/tmp/features.$$");
	print $client "line $_\n" for 1 .. 3;
	shutdown $client, 1;
	print "socket ", join('', map { s/\n/ /r } <$client>), "\n";
	waitpid $child, 0;
}
unlink "/tmp/features.$$";

my $file = File::Temp->new;
print $file "x" x 100000;
$file->flush;
flock $file, LOCK_EX;
my $locker = fork;
unless ($locker) { open my $again, '<', $file->filename; exit(flock($again, LOCK_EX | LOCK_NB) ? 0 : 9) }
waitpid $locker, 0;
print "locked ", $? >> 8, "\n";
truncate $file, 10;
print "size ", -s $file->filename, "\n";

my $id = msgget(IPC_PRIVATE, IPC_CREAT | 0600);
msgsnd $id, pack('l! a*', 7, 'message'), 0;
msgrcv $id, my $got, 100, 0, 0;
msgctl $id, IPC_RMID, 0;
print "sysv ", join(' ', unpack 'l! a*', $got), "\n";
my $shm = shmget(IPC_PRIVATE, 8192, IPC_CREAT | 0600);
shmwrite $shm, 'shared', 100, 6;
shmread $shm, my $back, 100, 6;
shmctl $shm, IPC_RMID, 0;
print "shared $back\n";
print "command ", `printf %s "\$((6 * 7))"`, " $?\n";
system 'exit 3; true';
print "status ", $? >> 8, "\n";
system 'kill -9 $$';
print "killed ", $? & 127, "\n";
