// Command konnectivity is both ends of Kubernetes' network proxy in one executable: with it the API server reaches
// Pods and kubelets only through connections that the agent opened.
package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
	agent "sigs.k8s.io/apiserver-network-proxy/cmd/agent/app"
	agentoptions "sigs.k8s.io/apiserver-network-proxy/cmd/agent/app/options"
	server "sigs.k8s.io/apiserver-network-proxy/cmd/server/app"
	serveroptions "sigs.k8s.io/apiserver-network-proxy/cmd/server/app/options"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: konnectivity server|agent FLAGS")
		os.Exit(2)
	}
	var command *cobra.Command
	switch os.Args[1] {
	case "server":
		options := serveroptions.NewProxyRunOptions()
		command = server.NewProxyCommand(&server.Proxy{}, options)
		command.Flags().AddFlagSet(options.Flags())
	case "agent":
		options := agentoptions.NewGrpcProxyAgentOptions()
		command = agent.NewAgentCommand(&agent.Agent{}, options)
		command.Flags().AddFlagSet(options.Flags())
	default:
		fmt.Fprintf(os.Stderr, "konnectivity: there is no program %q in here\n", os.Args[1])
		os.Exit(2)
	}
	command.SetArgs(os.Args[2:])
	if err := command.Execute(); err != nil {
		os.Exit(1)
	}
}
