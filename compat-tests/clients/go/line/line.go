// Package line is the front of every Go client program. They speak the same JSON lines as the Java programs:
// `PROGRAM serve` reads commands until its input ends, `PROGRAM OP --name value ...` runs one; every answer line carries
// the command's id, the last one has "done" or "error".
package line

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Record is the pivot record of Kafka programs; nil slices are null, which is not the same as empty.
type Record struct {
	Topic      string       `json:"topic,omitempty"`
	Partition  *int32       `json:"partition"`
	Offset     int64        `json:"offset"`
	Key        []byte       `json:"key"`
	Value      []byte       `json:"value"`
	Headers    [][2]*string `json:"headers"`
	Timestamp  *int64       `json:"timestamp,omitempty"`
	ReceivedAt int64        `json:"receivedAt,omitempty"`
	Native
}

// Native are the fields that only a RocketMQ program sends.
type Native struct {
	Tags        string            `json:"tags,omitempty"`
	Keys        string            `json:"keys,omitempty"`
	Properties  map[string]string `json:"properties,omitempty"`
	Flag        int32             `json:"flag,omitempty"`
	BuyerID     string            `json:"buyerId,omitempty"`
	ShardingKey string            `json:"shardingKey,omitempty"`
	WaitStore   *bool             `json:"waitStore,omitempty"`
}

// Command is one request line; unused fields stay at their zero values.
type Command struct {
	ID         any      `json:"id"`
	Op         string   `json:"op"`
	Target     any      `json:"target"`
	Bootstrap  string   `json:"bootstrap"`
	Namesrv    string   `json:"namesrv"`
	Broker     string   `json:"broker"`
	Topic      string   `json:"topic"`
	Topics     []string `json:"topics"`
	Group      string   `json:"group"`
	Mode       string   `json:"mode"`
	Codec      string   `json:"codec"`
	Acks       string   `json:"acks"`
	From       string   `json:"from"`
	Tags       string   `json:"tags"`
	Orderly    bool     `json:"orderly"`
	Idempotent *bool    `json:"idempotent"`
	Count      int64    `json:"count,string"`
	Timeout    int64    `json:"timeout,string"`
	Partitions int32    `json:"partitions,string"`
	Size       int      `json:"size,string"`
	InFlight   int      `json:"inFlight,string"`
	Seed       int64    `json:"seed,string"`
	Rate       int      `json:"rate,string"`
	Records    []Record `json:"records"`
}

var (
	outLock sync.Mutex
	out     = bufio.NewWriterSize(os.Stdout, 1<<16)
)

// Say writes one answer line of the command.
func (c *Command) Say(fields map[string]any) {
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

// Deadline is a context that ends with the command's timeout, or when it is stopped.
func (c *Command) Deadline(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, time.Duration(c.Timeout)*time.Millisecond)
}

// TopicNames are the names of assigned partitions as the Java programs say them, sorted.
func TopicNames(partitions map[string][]int32) []string {
	all := []string{}
	for topic, ps := range partitions {
		for _, p := range ps {
			all = append(all, topic+"-"+strconv.Itoa(int(p)))
		}
	}
	sort.Strings(all)
	return all
}

// Base64 is the text of a header's value, nil for a null.
func Base64(value []byte) *string {
	if value == nil {
		return nil
	}
	text := base64.StdEncoding.EncodeToString(value)
	return &text
}

// Unbase64 is the reverse.
func Unbase64(text *string) ([]byte, error) {
	if text == nil {
		return nil, nil
	}
	return base64.StdEncoding.DecodeString(*text)
}

// Operations of a program, by name.
type Operations map[string]func(context.Context, *Command) error

func (ops Operations) perform(ctx context.Context, c *Command) {
	err := fmt.Errorf("unknown op %q", c.Op)
	if op := ops[c.Op]; op != nil {
		err = op(ctx, c)
	}
	if err != nil {
		c.Say(map[string]any{"error": err.Error(), "kind": fmt.Sprintf("%T", err)})
		return
	}
	c.Say(map[string]any{"done": true})
}

// decode accepts numbers as well as texts for the numeric fields: the command line form has texts only.
func decode(line []byte) (*Command, error) {
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
	c := &Command{Acks: "all", Codec: "none", Count: 1 << 62, Timeout: 10_000, Partitions: 1, Size: 100, InFlight: 16}
	return c, json.Unmarshal(again, c)
}

func (ops Operations) serve() {
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
			c.Say(map[string]any{"done": true})
			continue
		}
		commandCtx, stop := context.WithCancel(ctx)
		stops[fmt.Sprint(c.ID)] = stop
		running.Add(1)
		go func() {
			defer running.Done()
			ops.perform(commandCtx, c)
		}()
	}
	cancelAll()
	running.Wait()
}

func (ops Operations) once(args []string) {
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
		var c *Command
		if c, err = decode(line); err == nil {
			ops.perform(context.Background(), c)
			return
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// Main runs the program.
func (ops Operations) Main() {
	if len(os.Args) < 2 || os.Args[1] == "serve" {
		ops.serve()
		return
	}
	ops.once(os.Args[1:])
}
