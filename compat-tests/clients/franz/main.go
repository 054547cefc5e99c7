// Command franz is franz-go as a compatibility-test client. It speaks the same JSON lines as the Java programs:
// `franz serve` reads commands until its input ends, `franz OP --name value ...` runs one; every answer line carries
// the command's id, the last one has "done" or "error".
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
)

// record is the pivot record; nil slices are null, which is not the same as empty.
type record struct {
	Topic      string       `json:"topic,omitempty"`
	Partition  *int32       `json:"partition"`
	Offset     int64        `json:"offset"`
	Key        []byte       `json:"key"`
	Value      []byte       `json:"value"`
	Headers    [][2]*string `json:"headers"`
	Timestamp  *int64       `json:"timestamp,omitempty"`
	ReceivedAt int64        `json:"receivedAt,omitempty"`
}

// command is one request line; unused fields stay at their zero values.
type command struct {
	ID         any      `json:"id"`
	Op         string   `json:"op"`
	Target     any      `json:"target"`
	Bootstrap  string   `json:"bootstrap"`
	Topic      string   `json:"topic"`
	Topics     []string `json:"topics"`
	Group      string   `json:"group"`
	Mode       string   `json:"mode"`
	Codec      string   `json:"codec"`
	Acks       string   `json:"acks"`
	From       string   `json:"from"`
	Idempotent *bool    `json:"idempotent"`
	Count      int64    `json:"count,string"`
	Timeout    int64    `json:"timeout,string"`
	Partitions int32    `json:"partitions,string"`
	Size       int      `json:"size,string"`
	InFlight   int      `json:"inFlight,string"`
	Seed       int64    `json:"seed,string"`
	Rate       int      `json:"rate,string"`
	Records    []record `json:"records"`
}

var (
	outLock sync.Mutex
	out     = bufio.NewWriterSize(os.Stdout, 1<<16)
)

// say writes one answer line of the command.
func (c *command) say(fields map[string]any) {
	fields["id"] = c.ID
	line, err := json.Marshal(fields)
	if err != nil {
		line = []byte(fmt.Sprintf(`{"id":%q,"error":%q}`, fmt.Sprint(c.ID), err))
	}
	outLock.Lock()
	defer outLock.Unlock()
	out.Write(append(line, '\n'))
	out.Flush()
}

func (c *command) perform(ctx context.Context) {
	var err error
	switch c.Op {
	case "produce":
		err = produce(ctx, c)
	case "consume":
		err = consume(ctx, c)
	case "load":
		err = load(ctx, c)
	default:
		err = fmt.Errorf("unknown op %q", c.Op)
	}
	if err != nil {
		c.say(map[string]any{"error": err.Error(), "kind": fmt.Sprintf("%T", err)})
		return
	}
	c.say(map[string]any{"done": true})
}

// decode accepts numbers as well as texts for the numeric fields: the command line form has texts only.
func decode(line []byte) (*command, error) {
	fields := map[string]any{}
	if err := json.Unmarshal(line, &fields); err != nil {
		return nil, err
	}
	for _, name := range []string{"count", "timeout", "partitions", "size", "inFlight", "seed", "rate"} {
		if n, ok := fields[name].(float64); ok {
			fields[name] = fmt.Sprintf("%d", int64(n))
		}
	}
	if topics, ok := fields["topics"].(string); ok {
		fields["topics"] = strings.Split(topics, ",")
	}
	again, err := json.Marshal(fields)
	if err != nil {
		return nil, err
	}
	c := &command{Acks: "all", Codec: "none", Count: 1 << 62, Timeout: 10_000, Partitions: 1, Size: 100, InFlight: 16}
	return c, json.Unmarshal(again, c)
}

func serve() {
	ctx, cancelAll := context.WithCancel(context.Background())
	stops := map[string]context.CancelFunc{}
	var running sync.WaitGroup
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 64<<20)
	for in.Scan() {
		c, err := decode(in.Bytes())
		if err != nil {
			fmt.Fprintln(os.Stderr, "no command:", err)
			continue
		}
		if c.Op == "stop" {
			if stop := stops[fmt.Sprint(c.Target)]; stop != nil {
				stop()
			}
			c.say(map[string]any{"done": true})
			continue
		}
		commandCtx, stop := context.WithCancel(ctx)
		stops[fmt.Sprint(c.ID)] = stop
		running.Add(1)
		go func() {
			defer running.Done()
			c.perform(commandCtx)
		}()
	}
	cancelAll()
	running.Wait()
}

func once(args []string) {
	fields := map[string]any{"id": 0, "op": args[0]}
	for i := 1; i+1 < len(args); i += 2 {
		fields[strings.TrimPrefix(args[i], "--")] = args[i+1]
	}
	if args[0] == "produce" {
		records := []json.RawMessage{}
		in := bufio.NewScanner(os.Stdin)
		in.Buffer(nil, 64<<20)
		for in.Scan() {
			records = append(records, json.RawMessage(append([]byte{}, in.Bytes()...)))
		}
		fields["records"] = records
	}
	line, err := json.Marshal(fields)
	if err == nil {
		var c *command
		if c, err = decode(line); err == nil {
			c.perform(context.Background())
			return
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func main() {
	if len(os.Args) < 2 || os.Args[1] == "serve" {
		serve()
		return
	}
	once(os.Args[1:])
}
