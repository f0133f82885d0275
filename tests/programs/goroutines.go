// SPDX-License-Identifier: MIT
// goroutines - a static program without a C library: many goroutines, timers, TCP, HTTP, signals, preemption.
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

func check(err error) {
	if err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
}

func channels() {
	var wg sync.WaitGroup
	sums := make(chan int, 16)
	for i := 0; i < 10000; i++ {
		wg.Add(1)
		go func(i int) {
			defer wg.Done()
			time.Sleep(time.Duration(i%7) * time.Millisecond)
			sums <- i
		}(i)
	}
	go func() { wg.Wait(); close(sums) }()
	total := 0
	for s := range sums {
		total += s
	}
	fmt.Println("goroutines", total)
}

// A loop without a call gives way only to a signal.
func preempted() {
	stop := make(chan bool)
	for i := 0; i < 4; i++ {
		go func() {
			for n := uint64(0); ; n++ {
				if n == 1<<63 {
					stop <- true
				}
			}
		}()
	}
	<-time.After(50 * time.Millisecond)
	fmt.Println("preempted")
}

func echo() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { io.Copy(c, c); c.Close() }()
		}
	}()
	var wg sync.WaitGroup
	for i := 0; i < 50; i++ {
		wg.Add(1)
		go func(i int) {
			defer wg.Done()
			c, err := net.Dial("tcp", l.Addr().String())
			check(err)
			sent := make([]byte, 100000)
			for j := range sent {
				sent[j] = byte(i + j)
			}
			go c.Write(sent)
			got := make([]byte, len(sent))
			_, err = io.ReadFull(c, got)
			check(err)
			if string(got) != string(sent) {
				check(fmt.Errorf("echo differs"))
			}
			c.Close()
		}(i)
	}
	wg.Wait()
	l.Close()
	fmt.Println("echo")
}

func web() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	go http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "path ", r.URL.Path) }))
	r, err := http.Get("http://" + l.Addr().String() + "/x")
	check(err)
	body, err := io.ReadAll(r.Body)
	check(err)
	fmt.Println("http", string(body))
}

func signals() {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGUSR1)
	check(syscall.Kill(os.Getpid(), syscall.SIGUSR1))
	fmt.Println("signal", <-c)
}

func main() {
	channels()
	echo()
	web()
	signals()
	out, err := exec.Command("/bin/echo", "child").Output()
	check(err)
	fmt.Print(string(out))
	preempted()
}
