package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/IBM/sarama"

	"gantry/compat/line"
)

// admin creates a topic, finds it listed with its partitions, and deletes it; one line says what was seen at each step.
func admin(_ context.Context, c *line.Command) error {
	conf, err := configured(c)
	if err != nil {
		return err
	}
	cluster, err := sarama.NewClusterAdmin([]string{c.Bootstrap}, conf)
	if err != nil {
		return err
	}
	defer cluster.Close()
	if err := cluster.CreateTopic(c.Topic, &sarama.TopicDetail{NumPartitions: c.Partitions, ReplicationFactor: 1}, false); err != nil {
		return fmt.Errorf("create: %w", err)
	}
	described, err := cluster.DescribeTopics([]string{c.Topic})
	if err != nil {
		return fmt.Errorf("describe: %w", err)
	}
	c.Say(map[string]any{"topic": described[0].Name, "partitions": len(described[0].Partitions)})
	groups, err := cluster.ListConsumerGroups()
	if err != nil {
		return fmt.Errorf("groups: %w", err)
	}
	names := []string{}
	for name := range groups {
		names = append(names, name)
	}
	slices.Sort(names)
	c.Say(map[string]any{"groups": names})
	if err := cluster.DeleteTopic(c.Topic); err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	return nil
}
