// Command rocketmq is rocketmq-client-go/v2 as a compatibility-test client: the library as an application uses it. What
// it cannot say itself (the broker's name, which a queue needs) it asks the name server for.
package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/apache/rocketmq-client-go/v2/admin"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/rlog"

	"gantry/compat/line"
)

func main() {
	rlog.SetLogLevel("error")
	line.Operations{"produce": produce, "consume": consume}.Main()
}

var (
	adminLock sync.Mutex
	admins    = map[string]queueLister{}
)

type queueLister interface {
	FetchPublishMessageQueues(ctx context.Context, topic string) ([]*primitive.MessageQueue, error)
}

// queues are those of the topic as its route tells.
func queues(ctx context.Context, c *line.Command, topic string) ([]*primitive.MessageQueue, error) {
	adminLock.Lock()
	defer adminLock.Unlock()
	if admins[c.Namesrv] == nil {
		made, err := admin.NewAdmin(admin.WithResolver(primitive.NewPassthroughResolver([]string{c.Namesrv})))
		if err != nil {
			return nil, err
		}
		admins[c.Namesrv] = made
	}
	found, err := admins[c.Namesrv].FetchPublishMessageQueues(ctx, topic)
	if err == nil && len(found) == 0 {
		err = fmt.Errorf("no queue of %s", topic)
	}
	return found, err
}

func unique(word string) string {
	return fmt.Sprintf("%s%d", word, time.Now().UnixNano())
}
