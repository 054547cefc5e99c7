// Command franz is franz-go as a compatibility-test client.
package main

import "gantry/compat/line"

func main() {
	line.Operations{"produce": produce, "consume": consume, "load": load}.Main()
}
